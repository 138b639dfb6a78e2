//! Cuts a step into tiles that threads take one by one.

use std::cmp::Reverse;
use std::ops::Range;

use super::{AttentionShape, PARTITION, Sequence, record_len};
use crate::kv::BLOCK;

/// Queries for which keys are read once; their scores of a partition fit the second cache.
const QUERIES_PER_TILE: usize = 64;
/// Tiles that each thread should find at least, so that all end at about the same time.
const TILES_PER_THREAD: usize = 4;

/// A step's work.
#[derive(Default)]
pub(super) struct Plan {
    /// What threads take, the longest first.
    pub(super) tiles: Vec<Tile>,
    /// Tiles whose partitions were spread over several of `tiles`, to be merged.
    pub(super) split: Vec<Tile>,
    /// The block tables of all sequences.
    pub(super) blocks: Vec<u32>,
    pub(super) num_rows: usize,
}

/// Consecutive rows of a sequence, for the query heads that share one key head.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tile {
    /// Among the rows of the step.
    pub(super) first_row: usize,
    pub(super) num_rows: usize,
    /// Of the first row in its sequence.
    pub(super) position: usize,
    pub(super) kv_head: usize,
    /// The sequence's table in [`Plan::blocks`].
    pub(super) blocks: Range<usize>,
    pub(super) partitions: Range<usize>,
    /// Where the records of its partitions go, if they are to be merged later: `[partition][query]`.
    pub(super) partials: Option<usize>,
}

impl Tile {
    pub(super) fn num_queries(&self, shape: &AttentionShape) -> usize {
        self.num_rows * shape.group()
    }

    fn cost(&self) -> usize {
        self.num_rows * self.partitions.len()
    }
}

impl Plan {
    /// Gives the number of vectors that partial results take.
    pub(super) fn lay_out<'a>(
        &mut self,
        shape: &AttentionShape,
        sequences: impl IntoIterator<Item = Sequence<'a>>,
        num_threads: usize,
    ) -> usize {
        self.tiles.clear();
        self.split.clear();
        self.blocks.clear();
        self.num_rows = 0;
        for sequence in sequences {
            self.add(shape, sequence);
        }
        let num_lanes = if num_threads > 1 { self.split_long(shape, num_threads) } else { 0 };
        self.tiles.sort_unstable_by_key(|tile| Reverse(tile.cost()));
        num_lanes
    }

    fn add(&mut self, shape: &AttentionShape, sequence: Sequence<'_>) {
        let Sequence { position, num_rows, blocks } = sequence;
        assert!(position + num_rows <= blocks.len() * BLOCK, "{} blocks hold no {position} + {num_rows}", blocks.len());
        let start = self.blocks.len();
        self.blocks.extend_from_slice(blocks);
        let rows_per_tile = (QUERIES_PER_TILE / shape.group()).max(1);
        for offset in (0..num_rows).step_by(rows_per_tile) {
            let (position, num_rows) = (position + offset, rows_per_tile.min(num_rows - offset));
            let seen = shape.first_seen(position)..position + num_rows;
            self.tiles.extend((0..shape.num_kv_heads).map(|kv_head| Tile {
                first_row: self.num_rows + offset,
                num_rows,
                position,
                kv_head,
                blocks: start..self.blocks.len(),
                partitions: seen.start / PARTITION..seen.end.div_ceil(PARTITION),
                partials: None,
            }));
        }
        self.num_rows += num_rows;
    }

    /// Spreads the partitions of tiles that would keep one thread busy while the others have nothing left.
    fn split_long(&mut self, shape: &AttentionShape, num_threads: usize) -> usize {
        let total: usize = self.tiles.iter().map(Tile::cost).sum();
        let share = total.div_ceil(num_threads * TILES_PER_THREAD);
        let mut num_lanes = 0;
        for index in 0..self.tiles.len() {
            let tile = &mut self.tiles[index];
            if tile.cost() <= share || tile.partitions.len() == 1 {
                continue;
            }
            tile.partials = Some(num_lanes);
            let whole = tile.clone();
            let lanes_per_partition = whole.num_queries(shape) * record_len(shape);
            let length = (share / whole.num_rows).max(1);
            let part = |first: usize| Tile {
                partitions: first..whole.partitions.end.min(first + length),
                partials: Some(num_lanes + (first - whole.partitions.start) * lanes_per_partition),
                ..whole.clone()
            };
            let mut parts = whole.partitions.clone().step_by(length).map(part);
            if let Some(first) = parts.next() {
                *tile = first;
            }
            self.tiles.extend(parts);
            num_lanes += whole.partitions.len() * lanes_per_partition;
            self.split.push(whole);
        }
        num_lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: AttentionShape = AttentionShape { num_heads: 12, num_kv_heads: 4, head_dim: 32, window: None };

    #[track_caller]
    fn check(rows: &[(usize, usize)], num_threads: usize, num_split: usize) {
        let blocks: Vec<u32> = (0..400).collect();
        let sequences = rows.iter().map(|(position, num_rows)| (*position, *num_rows));
        let sequences = sequences.map(|(position, num_rows)| Sequence { position, num_rows, blocks: &blocks });
        let mut plan = Plan::default();
        plan.lay_out(&SHAPE, sequences, num_threads);
        assert_eq!(plan.split.len(), num_split);
        let positions = rows.iter().flat_map(|(position, num_rows)| *position..position + num_rows);
        for (row, position) in positions.enumerate() {
            for kv_head in 0..SHAPE.num_kv_heads {
                let of_row = |tile: &&Tile| (tile.first_row..tile.first_row + tile.num_rows).contains(&row);
                let tiles = plan.tiles.iter().filter(|tile| tile.kv_head == kv_head).filter(of_row);
                let mut partitions: Vec<usize> = tiles.flat_map(|tile| tile.partitions.clone()).collect();
                partitions.sort_unstable();
                assert!(partitions.iter().copied().eq(0..partitions.len()) && partitions.len() > position / PARTITION);
            }
        }
    }

    #[test]
    fn every_row_head_and_partition_is_in_one_tile() {
        check(&[(5000, 1), (0, 100), (511, 2), (1, 1)], 2, 0);
        check(&[(5000, 1)], 1, 0);
        check(&[(5000, 1)], 2, 4);
        check(&[(5000, 1), (4000, 2), (10, 1)], 7, 8);
    }

    #[test]
    fn a_window_skips_the_partitions_before_it() {
        let blocks: Vec<u32> = (0..400).collect();
        let mut plan = Plan::default();
        let shape = AttentionShape { window: Some(1024), ..SHAPE };
        plan.lay_out(&shape, [Sequence { position: 2047, num_rows: 1, blocks: &blocks }], 1);
        assert!(plan.tiles.iter().all(|tile| tile.partitions == (2..4)));
    }
}
