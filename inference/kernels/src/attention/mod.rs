//! Causal attention over blocks of keys and values, of many sequences in one step.
//!
//! A row's result depends on its query and on the keys and values that it sees, on nothing else: the positions are cut
//! into partitions of a fixed size, each is computed alone, and their results are merged in ascending order. Whether one
//! thread does that or many, and which rows share a tile, changes no bit.

mod merge;
mod partition;
mod plan;
mod tile;

use std::marker::PhantomData;

use half::f16;

use crate::Level;
use crate::kv::{BLOCK, Kv, KvKind};
use crate::ops::simd::{LANES, Lanes, dispatch};
use crate::pool::{Disjoint, Pool};
use merge::Merge;
use plan::Plan;
use tile::{Attend, Scratch};

/// Positions whose weights are relative to one largest score.
const PARTITION: usize = 512;
const BLOCKS_PER_PARTITION: usize = PARTITION / BLOCK;
/// Vectors from one query's scores to the next one's; an odd number, for rows of a power of two crowd in the cache.
const SCORES_PER_QUERY: usize = BLOCKS_PER_PARTITION + 1;
/// Scores are kept within it, so that their differences are numbers.
const LOWEST: f32 = -1e30;

/// How a model attends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Heads of queries.
    pub num_heads: usize,
    /// Heads of keys and values; a divisor of `num_heads`.
    pub num_kv_heads: usize,
    /// Values in a head, a multiple of 16.
    pub head_dim: usize,
    /// So many positions a row sees, its own among them; all that precede if absent.
    pub window: Option<usize>,
}

impl AttentionShape {
    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.num_heads / self.num_kv_heads
    }

    /// The first position that the row at `position` sees.
    fn first_seen(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }
}

/// A sequence's rows in a step; their keys and values are in the store before they attend.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Position of its first row.
    pub position: usize,
    /// How many rows.
    pub num_rows: usize,
    /// The blocks of its positions, from position 0 on; those that no row sees are not read.
    pub blocks: &'a [u32],
}

/// Attention in one step after the other.
pub struct Attention {
    level: Level,
    shape: AttentionShape,
    plan: Plan,
    partials: Vec<Lanes>,
}

impl Attention {
    /// # Panics
    /// When heads cannot be grouped, `head_dim` is no multiple of 16, or a row would see nothing.
    pub fn new(level: Level, shape: AttentionShape) -> Self {
        assert!(shape.num_heads.is_multiple_of(shape.num_kv_heads) && shape.num_heads > 0, "{shape:?}");
        assert!(shape.head_dim.is_multiple_of(LANES) && shape.head_dim > 0, "{shape:?}");
        assert!(shape.window != Some(0), "{shape:?}");
        Attention { level, shape, plan: Plan::default(), partials: Vec::new() }
    }

    /// Lays out a step, for all layers: sequences whose rows follow each other, and how many threads will share the work.
    ///
    /// # Panics
    /// When a sequence has more positions than blocks.
    pub fn plan<'a>(&mut self, sequences: impl IntoIterator<Item = Sequence<'a>>, num_threads: usize) {
        let num_lanes = self.plan.lay_out(&self.shape, sequences, num_threads);
        self.partials.resize(num_lanes.max(self.partials.len()), Lanes::ZERO);
    }

    /// Attends in one layer. `queries` has rows of `row_width` values that begin with `[head][head_dim]`, turned to their
    /// positions; `out` becomes `[row][head][head_dim]`.
    ///
    /// # Panics
    /// When the store is of another shape, or there are fewer rows than planned.
    pub fn attend(&mut self, kv: &Kv, layer: usize, queries: &[f32], row_width: usize, out: &mut [f32], pool: &Pool) {
        let AttentionShape { num_heads, num_kv_heads, head_dim, .. } = self.shape;
        assert!(kv.shape().num_kv_heads == num_kv_heads && kv.shape().head_dim == head_dim, "{:?}", kv.shape());
        let width = num_heads * head_dim;
        assert!(row_width >= width && queries.len() >= self.plan.num_rows * row_width, "{} queries", queries.len());
        assert_eq!(out.len(), self.plan.num_rows * width, "the result has one row for each that was planned");
        let step = Step {
            shape: &self.shape,
            plan: &self.plan,
            kv,
            layer,
            queries,
            row_width,
            partials: Disjoint::new(&mut self.partials),
            out: Disjoint::new(out),
        };
        let (level, step) = (self.level, &step);
        pool.run(self.plan.tiles.len(), 1, &|range| {
            let mut scratch = Scratch::take();
            for tile in &self.plan.tiles[range] {
                let scratch = &mut scratch;
                match kv.shape().kind {
                    KvKind::F16 => dispatch(level, Attend::<f16> { step, tile, scratch, kept: PhantomData }),
                    KvKind::Int8 => dispatch(level, Attend::<i8> { step, tile, scratch, kept: PhantomData }),
                }
            }
            scratch.give_back();
        });
        pool.run(self.plan.split.len(), 1, &|range| {
            let mut scratch = Scratch::take();
            for tile in &self.plan.split[range] {
                dispatch(level, Merge { step, tile, records: &mut scratch.records });
            }
            scratch.give_back();
        });
    }
}

/// One layer's attention.
struct Step<'a> {
    shape: &'a AttentionShape,
    plan: &'a Plan,
    kv: &'a Kv,
    layer: usize,
    queries: &'a [f32],
    row_width: usize,
    partials: Disjoint<'a, Lanes>,
    out: Disjoint<'a, f32>,
}

/// Vectors in a record: the largest score, the sums of weights, the blended values.
const fn record_len(shape: &AttentionShape) -> usize {
    2 + shape.head_dim / LANES
}

#[cfg(test)]
mod tests;
