//! A tile's way through its partitions.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::f32::consts::LOG2_E;
use std::marker::PhantomData;

use super::merge::{clear, finish, merge};
use super::partition::{Element, attend_partition};
use super::plan::Tile;
use super::{SCORES_PER_QUERY, Step, record_len};
use crate::ops::simd::{Kernel, Lanes, Simd};

/// What a thread needs while it works on a tile; it only grows.
#[derive(Default)]
pub(super) struct Scratch {
    queries: Vec<f32>,
    scores: Vec<Lanes>,
    partial: Vec<Lanes>,
    pub(super) records: Vec<Lanes>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl Scratch {
    /// The thread's own, until it is given back.
    pub(super) fn take() -> Self {
        SCRATCH.take()
    }

    pub(super) fn give_back(self) {
        SCRATCH.set(self);
    }
}

/// Computes a tile over keys and values kept as `T`.
pub(super) struct Attend<'a, T> {
    pub(super) step: &'a Step<'a>,
    pub(super) tile: &'a Tile,
    pub(super) scratch: &'a mut Scratch,
    pub(super) kept: PhantomData<T>,
}

impl<T: Element> Kernel for Attend<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Attend { step, tile, scratch, .. } = self;
        let num_queries = tile.num_queries(step.shape);
        let num_lanes = num_queries * record_len(step.shape);
        grow(&mut scratch.queries, num_queries * step.shape.head_dim, 0.0);
        grow(&mut scratch.scores, num_queries * SCORES_PER_QUERY, Lanes::ZERO);
        grow(&mut scratch.partial, num_lanes, Lanes::ZERO);
        grow(&mut scratch.records, num_lanes, Lanes::ZERO);
        let (queries, scores) = (&mut scratch.queries[..], &mut scratch.scores[..]);
        pack::<S>(step, tile, queries);
        if let Some(start) = tile.partials {
            for (index, partition) in tile.partitions.clone().enumerate() {
                let start = start + index * num_lanes;
                // SAFETY: a partition of a tile is in one task.
                let records = unsafe { step.partials.slice(start..start + num_lanes) };
                attend_partition::<S, T>(simd, step, tile, partition, queries, scores, records);
            }
        } else {
            let (partial, records) = (&mut scratch.partial[..num_lanes], &mut scratch.records[..num_lanes]);
            clear(step, records);
            for partition in tile.partitions.clone() {
                attend_partition::<S, T>(simd, step, tile, partition, queries, scores, partial);
                merge(simd, step, records, partial);
            }
            finish(simd, step, tile, records);
        }
    }
}

fn grow<V: Copy>(vec: &mut Vec<V>, len: usize, value: V) {
    if vec.len() < len {
        vec.resize(len, value);
    }
}

/// How many of what is `left` to take next: `widest`, or else a power of two.
#[inline(always)]
pub(super) const fn next_width(left: usize, widest: usize) -> usize {
    if left >= widest { widest } else { 1 << left.ilog2() }
}

/// Queries that meet a key at once, in registers.
pub(super) const fn panel_width<S: Simd>() -> usize {
    if S::REGISTERS >= 32 { 8 } else { 6 }
}

/// Lays out the tile's queries panel by panel, as `[head_dim][width]`, scaled for scores that are powers of two.
#[inline(always)]
fn pack<S: Simd>(step: &Step<'_>, tile: &Tile, packed: &mut [f32]) {
    let head_dim = step.shape.head_dim;
    let num_queries = tile.num_queries(step.shape);
    let mut first = 0;
    while first < num_queries {
        let width = next_width(num_queries - first, panel_width::<S>());
        let packed = &mut packed[first * head_dim..][..width * head_dim];
        match width {
            8 => pack_panel::<8>(step, tile, first, packed),
            6 => pack_panel::<6>(step, tile, first, packed),
            4 => pack_panel::<4>(step, tile, first, packed),
            2 => pack_panel::<2>(step, tile, first, packed),
            _ => pack_panel::<1>(step, tile, first, packed),
        }
        first += width;
    }
}

#[inline(always)]
fn pack_panel<const Q: usize>(step: &Step<'_>, tile: &Tile, first: usize, packed: &mut [f32]) {
    let (head_dim, group) = (step.shape.head_dim, step.shape.group());
    let scale = LOG2_E / (head_dim as f32).sqrt();
    let mut queries = [&step.queries[..0]; Q];
    for (index, query) in (first..).zip(&mut queries) {
        let (row, head) = (tile.first_row + index / group, tile.kv_head * group + index % group);
        *query = &step.queries[row * step.row_width + head * head_dim..][..head_dim];
    }
    for (dim, packed) in packed.as_chunks_mut::<Q>().0.iter_mut().enumerate() {
        for q in 0..Q {
            packed[q] = queries[q][dim] * scale;
        }
    }
}
