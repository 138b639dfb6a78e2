//! Puts the results of partitions together.
//!
//! The result of a query for some positions is a record of vectors: the largest score in every lane, then the sums of
//! `2^(score - largest)` lane by lane, then the values blended by these weights.

#![allow(unsafe_code)]

use super::plan::Tile;
use super::{LOWEST, Step, record_len};
use crate::ops::exp2;
use crate::ops::simd::{Kernel, Lanes, Simd};

/// Merges what a tile's partitions gave, and writes the rows.
pub(super) struct Merge<'a> {
    pub(super) step: &'a Step<'a>,
    pub(super) tile: &'a Tile,
    pub(super) records: &'a mut Vec<Lanes>,
}

impl Kernel for Merge<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let num_lanes = self.tile.num_queries(self.step.shape) * record_len(self.step.shape);
        self.records.resize(num_lanes.max(self.records.len()), Lanes::ZERO);
        let records = &mut self.records[..num_lanes];
        clear(self.step, records);
        let mut start = self.tile.partials.unwrap_or_default();
        for _ in self.tile.partitions.clone() {
            // SAFETY: nobody writes partial results any more.
            merge(simd, self.step, records, unsafe { self.step.partials.slice(start..start + num_lanes) });
            start += num_lanes;
        }
        finish(simd, self.step, self.tile, records);
    }
}

/// Records of no positions.
#[inline(always)]
pub(super) fn clear(step: &Step<'_>, records: &mut [Lanes]) {
    for record in records.chunks_exact_mut(record_len(step.shape)) {
        record.fill(Lanes::ZERO);
        record[0] = Lanes([LOWEST; 16]);
    }
}

/// Adds records of further positions.
#[inline(always)]
pub(super) fn merge<S: Simd>(simd: S, step: &Step<'_>, records: &mut [Lanes], others: &[Lanes]) {
    let len = record_len(step.shape);
    for (record, other) in records.chunks_exact_mut(len).zip(others.chunks_exact(len)) {
        let (old, new) = (simd.load(&record[0].0), simd.load(&other[0].0));
        let largest = simd.max(old, new);
        let (old, new) = (exp2(simd, simd.sub(old, largest)), exp2(simd, simd.sub(new, largest)));
        simd.store(largest, &mut record[0].0);
        for (lanes, other) in record[1..].iter_mut().zip(&other[1..]) {
            let kept = simd.mul(simd.load(&lanes.0), old);
            simd.store(simd.mul_add(simd.load(&other.0), new, kept), &mut lanes.0);
        }
    }
}

/// Writes the results of records of all positions.
#[inline(always)]
pub(super) fn finish<S: Simd>(simd: S, step: &Step<'_>, tile: &Tile, records: &[Lanes]) {
    let group = step.shape.group();
    let records_of_row = records.chunks_exact(group * record_len(step.shape));
    for (row, records) in records_of_row.enumerate() {
        let width = group * step.shape.head_dim;
        let start = ((tile.first_row + row) * step.shape.num_kv_heads + tile.kv_head) * width;
        // SAFETY: a row and key head belong to one tile, and either its task or its merging writes them.
        let out = unsafe { step.out.slice(start..start + width) };
        let heads = out.chunks_exact_mut(step.shape.head_dim).zip(records.chunks_exact(record_len(step.shape)));
        for (out, record) in heads {
            let total = simd.splat(record[1].sum());
            for (out, values) in out.as_chunks_mut().0.iter_mut().zip(&record[2..]) {
                simd.store(simd.div(simd.load(&values.0), total), out);
            }
        }
    }
}
