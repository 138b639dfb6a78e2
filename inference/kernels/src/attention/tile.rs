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

/// Queries in panels, the widest first.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) first: usize,
    pub(super) width: usize,
}

/// Cuts `num_queries` into panels of a power of two up to `widest`.
#[inline(always)]
pub(super) fn next_panel(first: usize, num_queries: usize, widest: usize) -> Option<Panel> {
    if first == num_queries {
        return None;
    }
    let mut width = widest;
    while width > num_queries - first {
        width /= 2;
    }
    Some(Panel { first, width })
}

/// How many queries meet a key at once.
pub(super) const fn panel_width<S: Simd>() -> usize {
    if S::REGISTERS >= 32 { 8 } else { 4 }
}

/// Lays out the tile's queries panel by panel, as `[head_dim][width]`, scaled for scores that are powers of two.
fn pack<S: Simd>(step: &Step<'_>, tile: &Tile, packed: &mut [f32]) {
    let head_dim = step.shape.head_dim;
    let group = step.shape.group();
    let scale = LOG2_E / (head_dim as f32).sqrt();
    let mut first = 0;
    while let Some(panel) = next_panel(first, tile.num_queries(step.shape), panel_width::<S>()) {
        for column in 0..panel.width {
            let query = panel.first + column;
            let (row, head) = (tile.first_row + query / group, tile.kv_head * group + query % group);
            let query = &step.queries[row * step.row_width + head * head_dim..][..head_dim];
            let to = packed[panel.first * head_dim + column..].iter_mut().step_by(panel.width);
            for (to, value) in to.zip(query) {
                *to = value * scale;
            }
        }
        first += panel.width;
    }
}
