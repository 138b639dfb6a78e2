//! Attention of a tile's queries over the positions of one partition: scores, weights, blend.

use half::f16;

use super::plan::Tile;
use super::tile::{next_width, panel_width};
use super::{BLOCKS_PER_PARTITION, LOWEST, PARTITION, SCORES_PER_QUERY, Step, record_len};
use crate::kv::{BLOCK, Kv};
use crate::memory::Plain;
use crate::ops::exp2;
use crate::ops::simd::{LANES, Lanes, Simd, prefetch};

/// Queries for which values are blended at once, in registers.
const BLENDED: usize = 6;

/// How a key's or value's number is kept.
pub(super) trait Element: Plain {
    fn load<S: Simd>(simd: S, numbers: &[Self; LANES]) -> S::Vector;

    /// What a block's keys and values are to be multiplied with, if anything.
    fn scales(kv: &Kv, layer: usize, block: u32, head: usize) -> Option<[&[f32; BLOCK]; 2]>;
}

impl Element for f16 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, numbers: &[Self; LANES]) -> S::Vector {
        simd.load_f16(numbers)
    }

    #[inline(always)]
    fn scales(_: &Kv, _: usize, _: u32, _: usize) -> Option<[&[f32; BLOCK]; 2]> {
        None
    }
}

impl Element for i8 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, numbers: &[Self; LANES]) -> S::Vector {
        simd.load_i8(numbers)
    }

    #[inline(always)]
    fn scales(kv: &Kv, layer: usize, block: u32, head: usize) -> Option<[&[f32; BLOCK]; 2]> {
        Some(kv.scales(layer, block, head))
    }
}

/// A block of a key head.
#[derive(Clone, Copy)]
struct Block<'a, T> {
    /// `[head_dim][BLOCK]`
    keys: &'a [[T; LANES]],
    /// `[BLOCK][head_dim]`
    values: &'a [[T; LANES]],
    scales: Option<[&'a [f32; BLOCK]; 2]>,
    /// The keys that will be read when these values were.
    next_keys: &'a [[T; LANES]],
}

/// Fills `records` with the results for the positions of a partition, a record for each query.
#[inline(always)]
pub(super) fn attend_partition<S: Simd, T: Element>(
    simd: S,
    step: &Step<'_>,
    tile: &Tile,
    partition: usize,
    queries: &[f32],
    scores: &mut [Lanes],
    records: &mut [Lanes],
) {
    let seen = step.shape.first_seen(tile.position)..tile.position + tile.num_rows;
    let start = seen.start.max(partition * PARTITION) / BLOCK;
    let end = seen.end.min((partition + 1) * PARTITION).div_ceil(BLOCK);
    let table = &step.plan.blocks[tile.blocks.clone()];
    let mut blocks = [Block::<T> { keys: &[], values: &[], scales: None, next_keys: &[] }; BLOCKS_PER_PARTITION];
    for (to, index) in blocks.iter_mut().zip(start..end) {
        let (keys, values) = step.kv.part::<T>(step.layer, table[index], tile.kv_head);
        let scales = T::scales(step.kv, step.layer, table[index], tile.kv_head);
        let next = table[(index + BLOCKS_PER_PARTITION).min(table.len() - 1)];
        let (next_keys, _) = step.kv.part::<T>(step.layer, next, tile.kv_head);
        let [keys, values, next_keys] = [keys, values, next_keys].map(|numbers| numbers.as_chunks().0);
        *to = Block { keys, values, scales, next_keys };
    }
    let blocks = &blocks[..end - start];
    score_all(simd, step, tile, blocks, queries, scores);
    hide(step, tile, start * BLOCK, blocks.len(), scores);
    let (num_queries, len) = (tile.num_queries(step.shape), record_len(step.shape));
    let mut first = 0;
    while first < num_queries {
        let width = next_width(num_queries - first, BLENDED);
        let scores = &mut scores[first * SCORES_PER_QUERY..][..width * SCORES_PER_QUERY];
        let records = &mut records[first * len..][..width * len];
        for (scores, record) in scores.chunks_exact(SCORES_PER_QUERY).zip(records.chunks_exact_mut(len)) {
            find_largest(simd, &scores[..blocks.len()], record);
        }
        for (scores, record) in scores.chunks_exact_mut(SCORES_PER_QUERY).zip(records.chunks_exact_mut(len)) {
            weigh(simd, blocks, &mut scores[..blocks.len()], record);
        }
        match width {
            6 => blend_rows::<S, T, 6>(simd, blocks, first == 0, scores, records),
            4 => blend_rows::<S, T, 4>(simd, blocks, first == 0, scores, records),
            2 => blend_rows::<S, T, 2>(simd, blocks, first == 0, scores, records),
            _ => blend_rows::<S, T, 1>(simd, blocks, first == 0, scores, records),
        }
        first += width;
    }
}

/// The products of all queries with all keys, `[query][block]`.
#[inline(always)]
fn score_all<S: Simd, T: Element>(
    simd: S,
    step: &Step<'_>,
    tile: &Tile,
    blocks: &[Block<'_, T>],
    queries: &[f32],
    scores: &mut [Lanes],
) {
    let num_queries = tile.num_queries(step.shape);
    let (pairs, rest) = if S::REGISTERS >= 32 { blocks.as_chunks::<2>() } else { (&[][..], blocks) };
    for (index, blocks) in pairs.iter().enumerate() {
        score_blocks(simd, step, blocks, num_queries, queries, &mut scores[2 * index..]);
    }
    for (index, block) in rest.iter().enumerate() {
        score_blocks(simd, step, &[*block], num_queries, queries, &mut scores[2 * pairs.len() + index..]);
    }
}

#[inline(always)]
fn score_blocks<S: Simd, T: Element, const B: usize>(
    simd: S,
    step: &Step<'_>,
    blocks: &[Block<'_, T>; B],
    num_queries: usize,
    queries: &[f32],
    scores: &mut [Lanes],
) {
    let head_dim = step.shape.head_dim;
    let mut first = 0;
    while first < num_queries {
        let width = next_width(num_queries - first, panel_width::<S>());
        let queries = &queries[first * head_dim..][..width * head_dim];
        let scores = &mut scores[first * SCORES_PER_QUERY..];
        match width {
            8 => score::<S, T, 8, B>(simd, queries, blocks, first == 0, scores),
            6 => score::<S, T, 6, B>(simd, queries, blocks, first == 0, scores),
            4 => score::<S, T, 4, B>(simd, queries, blocks, first == 0, scores),
            2 => score::<S, T, 2, B>(simd, queries, blocks, first == 0, scores),
            _ => score::<S, T, 1, B>(simd, queries, blocks, first == 0, scores),
        }
        first += width;
    }
}

/// A panel of `Q` queries with `B` blocks, in registers; the first one asks for the values, which come next.
#[inline(always)]
fn score<S: Simd, T: Element, const Q: usize, const B: usize>(
    simd: S,
    queries: &[f32],
    blocks: &[Block<'_, T>; B],
    is_first: bool,
    scores: &mut [Lanes],
) {
    let queries = queries.as_chunks::<Q>().0;
    for block in blocks {
        assert!(block.keys.len() == queries.len() && block.values.len() == queries.len());
    }
    let mut sums = [[simd.zero(); B]; Q];
    for (dim, queries) in queries.iter().enumerate() {
        let mut keys = [simd.zero(); B];
        for b in 0..B {
            keys[b] = T::load(simd, &blocks[b].keys[dim]);
            if is_first {
                prefetch(&blocks[b].values[dim]);
            }
        }
        for q in 0..Q {
            let query = simd.splat(queries[q]);
            for b in 0..B {
                sums[q][b] = simd.mul_add(query, keys[b], sums[q][b]);
            }
        }
    }
    for q in 0..Q {
        let scores = &mut scores[q * SCORES_PER_QUERY..][..B];
        for b in 0..B {
            let mut sum = sums[q][b];
            if let Some([scales, _]) = blocks[b].scales {
                sum = simd.mul(sum, simd.load(scales));
            }
            // In this order, what is no number stays none.
            let bounded = simd.max(simd.splat(LOWEST), simd.min(simd.splat(-LOWEST), sum));
            simd.store(bounded, &mut scores[b].0);
        }
    }
}

/// Takes away the positions that a row does not see; `start` is the position of the first score.
fn hide(step: &Step<'_>, tile: &Tile, start: usize, num_blocks: usize, scores: &mut [Lanes]) {
    let group = step.shape.group();
    let queries = scores.chunks_exact_mut(SCORES_PER_QUERY).take(tile.num_queries(step.shape));
    for (query, scores) in queries.enumerate() {
        let position = tile.position + query / group;
        let seen = step.shape.first_seen(position).saturating_sub(start)..(position + 1).saturating_sub(start);
        let end = num_blocks * BLOCK;
        for hidden in [0..seen.start.min(end), seen.end.min(end)..end] {
            for hidden in hidden {
                scores[hidden / BLOCK].0[hidden % BLOCK] = f32::NEG_INFINITY;
            }
        }
    }
}

/// Begins a query's record with its largest score.
#[inline(always)]
fn find_largest<S: Simd>(simd: S, scores: &[Lanes], record: &mut [Lanes]) {
    let mut largest = simd.splat(LOWEST);
    for score in scores {
        largest = simd.max(largest, simd.load(&score.0));
    }
    simd.store(largest, &mut record[0].0);
    record[0] = Lanes([record[0].max(); LANES]);
}

/// Turns a query's scores into weights relative to the largest, and puts their sums into its record.
#[inline(always)]
fn weigh<S: Simd, T>(simd: S, blocks: &[Block<'_, T>], scores: &mut [Lanes], record: &mut [Lanes]) {
    let largest = simd.load(&record[0].0);
    let mut total = simd.zero();
    for (score, block) in scores.iter_mut().zip(blocks) {
        let mut weight = exp2(simd, simd.sub(simd.load(&score.0), largest));
        total = simd.add(total, weight);
        if let Some([_, scales]) = block.scales {
            weight = simd.mul(weight, simd.load(scales));
        }
        simd.store(weight, &mut score.0);
    }
    simd.store(total, &mut record[1].0);
}

/// Blends the values by the weights of `Q` queries, strip by strip; the first ones ask for the next partition's keys.
#[inline(always)]
fn blend_rows<S: Simd, T: Element, const Q: usize>(
    simd: S,
    blocks: &[Block<'_, T>],
    is_first: bool,
    weights: &[Lanes],
    records: &mut [Lanes],
) {
    let vectors = records.len() / Q - 2;
    let mut first = 0;
    while first < vectors {
        let width = next_width(vectors - first, strip_width::<S>());
        match width {
            4 => blend::<S, T, Q, 4>(simd, blocks, first, is_first, weights, records),
            2 => blend::<S, T, Q, 2>(simd, blocks, first, is_first, weights, records),
            _ => blend::<S, T, Q, 1>(simd, blocks, first, is_first, weights, records),
        }
        first += width;
    }
}

/// Vectors of a value that are summed side by side.
const fn strip_width<S: Simd>() -> usize {
    if S::REGISTERS >= 32 { 4 } else { 1 }
}

/// `C` vectors of each value, from vector `first` on, by the weights of `Q` queries, in registers.
#[inline(always)]
fn blend<S: Simd, T: Element, const Q: usize, const C: usize>(
    simd: S,
    blocks: &[Block<'_, T>],
    first: usize,
    is_first: bool,
    weights: &[Lanes],
    records: &mut [Lanes],
) {
    let len = records.len() / Q;
    let vectors = len - 2;
    let mut sums = [[simd.zero(); C]; Q];
    for (index, block) in blocks.iter().enumerate() {
        let mut weights_of_block = [&Lanes::ZERO; Q];
        for q in 0..Q {
            weights_of_block[q] = &weights[q * SCORES_PER_QUERY + index];
        }
        let rows = block.values.chunks_exact(vectors).zip(block.next_keys.chunks_exact(vectors));
        for (position, (value, next_keys)) in rows.take(BLOCK).enumerate() {
            let (value, next_keys) = (&value[first..][..C], &next_keys[first..][..C]);
            let mut values = [simd.zero(); C];
            for c in 0..C {
                values[c] = T::load(simd, &value[c]);
                if is_first {
                    prefetch(&next_keys[c]);
                }
            }
            for q in 0..Q {
                let weight = simd.splat(weights_of_block[q].0[position]);
                for c in 0..C {
                    sums[q][c] = simd.mul_add(weight, values[c], sums[q][c]);
                }
            }
        }
    }
    for q in 0..Q {
        for c in 0..C {
            simd.store(sums[q][c], &mut records[q * len + 2 + first + c].0);
        }
    }
}
