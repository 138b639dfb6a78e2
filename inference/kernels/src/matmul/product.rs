//! Products of matrices with all rows of activations, shared among the pool's threads.

#![allow(unsafe_code)]

use std::ops::Range;

use super::activations::Activations;
use super::kernels::{Kernel, Pass, ROWS, Sums, kernels};
use super::layout::{GROUP, TILE_ROWS, tile_bytes};
use super::matrix::Matrix;
use crate::pool::{Disjoint, Pool};
use crate::{Level, ops};

/// What becomes of the products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// They replace what is there.
    Store,
    /// They are added to what is there.
    Add,
}

/// Bytes of weights that stay in the cache while all rows pass.
const CACHED_WEIGHTS: usize = 384 << 10;
/// Bytes of activations that stay in the cache while such weights pass.
const CACHED_ACTIVATIONS: usize = 192 << 10;
/// How far ahead of their use weights are asked for, in bytes.
const DISTANCE: usize = 9 << 10;

/// Multiplies each row with the matrices; a row of `out` is their outputs one after another.
///
/// # Panics
/// When lengths do not fit, `activations` lack a matrix's [`Kind`](super::Kind), or the processor lacks `level`.
pub fn multiply(
    level: Level,
    pool: &Pool,
    matrices: &[&Matrix],
    activations: &Activations,
    then: Then,
    out: &mut [f32],
) {
    let stride = matrices.iter().map(|matrix| matrix.rows()).sum();
    let out = Out::new(out, activations.rows(), stride);
    let tiles: usize = matrices.iter().map(|matrix| matrix.tiles()).sum();
    pool.run(tiles, chunk(tiles, pool), &|range| {
        let (mut first_tile, mut first_column) = (0, 0);
        for matrix in matrices {
            let product = Product::new(level, matrix, activations);
            let end = first_tile + matrix.tiles();
            let tiles = range.start.clamp(first_tile, end) - first_tile..range.end.clamp(first_tile, end) - first_tile;
            let mut sums = product.sums();
            product.blocks(tiles, |tile, rows, from_memory| {
                let sums = &mut sums[..rows.len()];
                product.sum(tile, rows.clone(), from_memory, sums);
                for (row, sums) in rows.zip(sums) {
                    // SAFETY: no other thread has this tile.
                    let out = unsafe { out.tile(row, first_column, matrix.rows(), tile) };
                    match then {
                        Then::Store => out.copy_from_slice(&sums.0[..out.len()]),
                        Then::Add => out.iter_mut().zip(sums.0).for_each(|(out, sum)| *out += sum),
                    }
                }
            });
            first_tile = end;
            first_column += matrix.rows();
        }
    });
}

/// `silu(gate) * up` of each row's products with two matrices.
///
/// # Panics
/// As [`multiply`], and when the matrices' rows differ.
pub fn multiply_gated(
    level: Level,
    pool: &Pool,
    gate: &Matrix,
    up: &Matrix,
    activations: &Activations,
    out: &mut [f32],
) {
    assert_eq!(gate.rows(), up.rows(), "outputs of a gate and of what it gates");
    let out = Out::new(out, activations.rows(), gate.rows());
    pool.run(gate.tiles(), chunk(gate.tiles(), pool), &|range| {
        let [gate, up] = [gate, up].map(|matrix| Product::new(level, matrix, activations));
        // In blocks of rows as the gate's format has them, for both.
        let mut gate_sums = gate.sums();
        let mut up_sums = gate_sums.clone();
        gate.blocks(range, |tile, rows, from_memory| {
            let (gate_sums, up_sums) = (&mut gate_sums[..rows.len()], &mut up_sums[..rows.len()]);
            gate.sum(tile, rows.clone(), from_memory, gate_sums);
            up.sum(tile, rows.clone(), from_memory, up_sums);
            for ((row, gate_sums), up_sums) in rows.zip(gate_sums).zip(up_sums) {
                // SAFETY: no other thread has this tile.
                let out = unsafe { out.tile(row, 0, gate.matrix.rows(), tile) };
                ops::gate(level, &gate_sums.0[..out.len()], &up_sums.0[..out.len()], out);
            }
        });
    });
}

/// Tiles that a thread takes at once: few enough that all end at about the same time.
fn chunk(tiles: usize, pool: &Pool) -> usize {
    tiles.div_ceil(4 * pool.threads())
}

/// A matrix and the rows it is multiplied with.
struct Product<'a> {
    matrix: &'a Matrix,
    activations: &'a Activations,
    kernels: [Kernel; ROWS],
    /// Bytes of a tile.
    tile: usize,
}

impl<'a> Product<'a> {
    fn new(level: Level, matrix: &'a Matrix, activations: &'a Activations) -> Self {
        assert_eq!(matrix.columns(), activations.columns(), "columns of a matrix and of activations");
        let tile = tile_bytes(matrix.format(), matrix.columns());
        Product { matrix, activations, kernels: kernels(level, matrix.format()), tile }
    }

    /// Rows that are multiplied with a tile at a time.
    fn block(&self) -> usize {
        let row = self.matrix.kind().bytes(self.matrix.columns()).max(1);
        (CACHED_ACTIVATIONS / row / ROWS * ROWS).clamp(4 * ROWS, 12 * ROWS)
    }

    /// Room for the sums of a block of rows.
    fn sums(&self) -> Vec<Sums> {
        vec![Sums([0.0; TILE_ROWS]); self.block().min(self.activations.rows())]
    }

    /// Calls `work` with every tile and block of rows, in an order that reads weights from memory once; says whether
    /// they come from there now.
    fn blocks(&self, tiles: Range<usize>, mut work: impl FnMut(usize, Range<usize>, bool)) {
        let cached = (CACHED_WEIGHTS / self.tile.max(1)).max(1);
        let rows = self.activations.rows();
        for first in tiles.clone().step_by(cached) {
            for row in (0..rows).step_by(self.block()) {
                for tile in first..tiles.end.min(first + cached) {
                    work(tile, row..rows.min(row + self.block()), row == 0);
                }
            }
        }
    }

    /// The products of a tile with some rows.
    fn sum(&self, tile: usize, rows: Range<usize>, from_memory: bool, sums: &mut [Sums]) {
        sums.fill(Sums([0.0; TILE_ROWS]));
        let (format, kind) = (self.matrix.format(), self.matrix.kind());
        let weights = self.matrix.packed(tile..tile + 1);
        let passes = rows.len().div_ceil(ROWS);
        // Equally many rows in each, as nearly as can be.
        let rows_of_pass = rows.len().div_ceil(passes);
        for (index, weights) in weights.chunks(tile_bytes(format, GROUP).max(1)).enumerate() {
            let column = GROUP * index;
            let columns = GROUP.min(self.matrix.columns() - column);
            let activations = self.activations.blocks(kind, column, rows.clone());
            let lines = if from_memory { weights.len().div_ceil(64 * passes) } else { 0 };
            let row_bytes = kind.bytes(columns);
            for (pass, (sums, activations)) in
                sums.chunks_mut(rows_of_pass).zip(activations.chunks(rows_of_pass * row_bytes)).enumerate()
            {
                let ahead = (weights.as_ptr().wrapping_add(DISTANCE + 64 * pass * lines), lines);
                let kernel = self.kernels[sums.len() - 1];
                // SAFETY: `kernels` has seen that the processor has the level; the slices are a group in the format.
                unsafe { kernel(&mut Pass { weights, activations, columns, sums, ahead }) };
            }
        }
    }
}

/// Rows of outputs, of which threads write different columns.
struct Out<'a> {
    values: Disjoint<'a, f32>,
    stride: usize,
}

impl<'a> Out<'a> {
    fn new(values: &'a mut [f32], rows: usize, stride: usize) -> Self {
        assert_eq!(values.len(), rows * stride, "numbers in {rows} rows of {stride} outputs");
        Out { values: Disjoint::new(values), stride }
    }

    /// In `row`, the columns of a tile of a matrix that has `matrix_rows` and begins at `first_column`.
    ///
    /// # Safety
    /// No two that are alive at the same time are of the same row, matrix and tile.
    #[allow(clippy::mut_from_ref)]
    unsafe fn tile(&self, row: usize, first_column: usize, matrix_rows: usize, tile: usize) -> &mut [f32] {
        let range = tile * TILE_ROWS..matrix_rows.min((tile + 1) * TILE_ROWS);
        let start = row * self.stride + first_column;
        // SAFETY: tiles do not overlap, and of each there is one, by the caller's promise.
        unsafe { self.values.slice(start + range.start..start + range.end) }
    }
}
