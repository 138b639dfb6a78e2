//! Attention of a tile's queries over the positions of one partition: scores, weights, blend.

use half::f16;

use super::plan::Tile;
use super::tile::{next_panel, panel_width};
use super::{BLOCKS_PER_PARTITION, LOWEST, PARTITION, Step, record_len};
use crate::kv::{BLOCK, Kv};
use crate::memory::Plain;
use crate::ops::exp;
use crate::ops::simd::{LANES, Lanes, Simd};

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
    let table = &step.plan.blocks[tile.blocks.clone()][start..end];
    let mut blocks = [Block::<T> { keys: &[], values: &[], scales: None }; BLOCKS_PER_PARTITION];
    for (to, block) in blocks.iter_mut().zip(table) {
        let (keys, values) = step.kv.part::<T>(step.layer, *block, tile.kv_head);
        let scales = T::scales(step.kv, step.layer, *block, tile.kv_head);
        *to = Block { keys: keys.as_chunks().0, values: values.as_chunks().0, scales };
    }
    let blocks = &blocks[..table.len()];
    let scores = &mut scores[..blocks.len() * tile.num_queries(step.shape)];
    score_all(simd, step, tile, blocks, queries, scores);
    hide(step, tile, start * BLOCK, scores);
    weigh(simd, step, tile, blocks, scores, records);
    blend_all(simd, step, tile, blocks, scores, records);
}

/// The products of all queries with all keys, `[block][query]`.
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
    let (scores_of_pairs, scores_of_rest) = scores.split_at_mut(pairs.len() * 2 * num_queries);
    for (blocks, scores) in pairs.iter().zip(scores_of_pairs.chunks_exact_mut(2 * num_queries)) {
        score_blocks(simd, step, blocks, num_queries, queries, scores);
    }
    for (block, scores) in rest.iter().zip(scores_of_rest.chunks_exact_mut(num_queries)) {
        score_blocks(simd, step, &[*block], num_queries, queries, scores);
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
    while let Some(panel) = next_panel(first, num_queries, panel_width::<S>()) {
        let queries = &queries[first * head_dim..][..panel.width * head_dim];
        let scores = &mut scores[first..];
        match panel.width {
            8 => score::<S, T, 8, B>(simd, queries, blocks, num_queries, scores),
            4 => score::<S, T, 4, B>(simd, queries, blocks, num_queries, scores),
            2 => score::<S, T, 2, B>(simd, queries, blocks, num_queries, scores),
            _ => score::<S, T, 1, B>(simd, queries, blocks, num_queries, scores),
        }
        first += panel.width;
    }
}

/// A panel of `Q` queries with `B` blocks, in registers.
#[inline(always)]
fn score<S: Simd, T: Element, const Q: usize, const B: usize>(
    simd: S,
    queries: &[f32],
    blocks: &[Block<'_, T>; B],
    stride: usize,
    scores: &mut [Lanes],
) {
    let queries = queries.as_chunks::<Q>().0;
    for block in blocks {
        assert_eq!(block.keys.len(), queries.len());
    }
    let mut sums = [[simd.zero(); B]; Q];
    for (dim, queries) in queries.iter().enumerate() {
        let mut keys = [simd.zero(); B];
        for b in 0..B {
            keys[b] = T::load(simd, &blocks[b].keys[dim]);
        }
        for q in 0..Q {
            let query = simd.splat(queries[q]);
            for b in 0..B {
                sums[q][b] = simd.mul_add(query, keys[b], sums[q][b]);
            }
        }
    }
    for b in 0..B {
        let scores = &mut scores[b * stride..][..Q];
        for q in 0..Q {
            let mut sum = sums[q][b];
            if let Some([scales, _]) = blocks[b].scales {
                sum = simd.mul(sum, simd.load(scales));
            }
            let bounded = simd.max(simd.min(sum, simd.splat(-LOWEST)), simd.splat(LOWEST));
            simd.store(bounded, &mut scores[q].0);
        }
    }
}

/// Takes away the positions that a row does not see; `start` is the position of the first score.
fn hide(step: &Step<'_>, tile: &Tile, start: usize, scores: &mut [Lanes]) {
    let group = step.shape.group();
    let last = tile.position + tile.num_rows - 1;
    for (block, scores) in scores.chunks_exact_mut(tile.num_rows * group).enumerate() {
        let start = start + block * BLOCK;
        // Whether there is a row that does not see the block's end, or its beginning.
        if start + BLOCK <= tile.position + 1 && step.shape.first_seen(last) <= start {
            continue;
        }
        for (row, scores) in scores.chunks_exact_mut(group).enumerate() {
            let position = tile.position + row;
            let seen = step.shape.first_seen(position)..position + 1;
            for scores in scores {
                for (lane, score) in scores.0.iter_mut().enumerate() {
                    if !seen.contains(&(start + lane)) {
                        *score = f32::NEG_INFINITY;
                    }
                }
            }
        }
    }
}

/// Turns scores into weights relative to the largest, begins the records with it and the sums of weights.
#[inline(always)]
fn weigh<S: Simd, T>(
    simd: S,
    step: &Step<'_>,
    tile: &Tile,
    blocks: &[Block<'_, T>],
    scores: &mut [Lanes],
    records: &mut [Lanes],
) {
    let num_queries = tile.num_queries(step.shape);
    let len = record_len(step.shape);
    for record in records.chunks_exact_mut(len) {
        record.fill(Lanes::ZERO);
        record[0] = Lanes([LOWEST; LANES]);
    }
    for scores in scores.chunks_exact(num_queries) {
        for (score, record) in scores.iter().zip(records.chunks_exact_mut(len)) {
            let largest = simd.max(simd.load(&record[0].0), simd.load(&score.0));
            simd.store(largest, &mut record[0].0);
        }
    }
    for record in records.chunks_exact_mut(len) {
        record[0] = Lanes([record[0].max(); LANES]);
    }
    for (scores, block) in scores.chunks_exact_mut(num_queries).zip(blocks) {
        for (score, record) in scores.iter_mut().zip(records.chunks_exact_mut(len)) {
            let mut weight = exp(simd, simd.sub(simd.load(&score.0), simd.load(&record[0].0)));
            simd.store(simd.add(simd.load(&record[1].0), weight), &mut record[1].0);
            if let Some([_, scales]) = block.scales {
                weight = simd.mul(weight, simd.load(scales));
            }
            simd.store(weight, &mut score.0);
        }
    }
}

/// Adds the values to the records by their weights.
#[inline(always)]
fn blend_all<S: Simd, T: Element>(
    simd: S,
    step: &Step<'_>,
    tile: &Tile,
    blocks: &[Block<'_, T>],
    weights: &[Lanes],
    records: &mut [Lanes],
) {
    let num_queries = tile.num_queries(step.shape);
    let vectors = step.shape.vectors();
    let len = record_len(step.shape);
    let mut strip = 0;
    while let Some(columns) = next_panel(strip, vectors, if S::REGISTERS >= 32 { 4 } else { 1 }) {
        let mut first = 0;
        while let Some(panel) = next_panel(first, num_queries, 4) {
            let weights = Weights { weights, first, num_queries };
            let records = &mut records[first * len..][..panel.width * len];
            let at = Columns { first: strip, vectors };
            match (panel.width, columns.width) {
                (4, 4) => blend::<S, T, 4, 4>(simd, blocks, &weights, at, records),
                (4, 2) => blend::<S, T, 4, 2>(simd, blocks, &weights, at, records),
                (4, _) => blend::<S, T, 4, 1>(simd, blocks, &weights, at, records),
                (2, 4) => blend::<S, T, 2, 4>(simd, blocks, &weights, at, records),
                (2, 2) => blend::<S, T, 2, 2>(simd, blocks, &weights, at, records),
                (2, _) => blend::<S, T, 2, 1>(simd, blocks, &weights, at, records),
                (_, 4) => blend::<S, T, 1, 4>(simd, blocks, &weights, at, records),
                (_, 2) => blend::<S, T, 1, 2>(simd, blocks, &weights, at, records),
                (_, _) => blend::<S, T, 1, 1>(simd, blocks, &weights, at, records),
            }
            first += panel.width;
        }
        strip += columns.width;
    }
}

/// `[block][query]`, and where a panel begins.
struct Weights<'a> {
    weights: &'a [Lanes],
    first: usize,
    num_queries: usize,
}

/// Where a strip of the values begins, and how many vectors a value has.
#[derive(Clone, Copy)]
struct Columns {
    first: usize,
    vectors: usize,
}

/// A panel of `Q` queries with `C` vectors of each value, in registers.
#[inline(always)]
fn blend<S: Simd, T: Element, const Q: usize, const C: usize>(
    simd: S,
    blocks: &[Block<'_, T>],
    weights: &Weights<'_>,
    columns: Columns,
    records: &mut [Lanes],
) {
    let len = columns.vectors + 2;
    let mut sums = [[simd.zero(); C]; Q];
    for (block, weights_of_block) in blocks.iter().zip(weights.weights.chunks_exact(weights.num_queries)) {
        let weights = &weights_of_block[weights.first..][..Q];
        for (position, value) in block.values.chunks_exact(columns.vectors).take(BLOCK).enumerate() {
            let value = &value[columns.first..][..C];
            let mut values = [simd.zero(); C];
            for c in 0..C {
                values[c] = T::load(simd, &value[c]);
            }
            for q in 0..Q {
                let weight = simd.splat(weights[q].0[position]);
                for c in 0..C {
                    sums[q][c] = simd.mul_add(weight, values[c], sums[q][c]);
                }
            }
        }
    }
    for q in 0..Q {
        for c in 0..C {
            simd.store(sums[q][c], &mut records[q * len + 2 + columns.first + c].0);
        }
    }
}
