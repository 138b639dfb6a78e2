//! Weights, packed for the kernels once when a model is loaded.

#![allow(unsafe_code)]

use std::io;
use std::ops::Range;

use gguf::Format;
use half::{bf16, f16};

use super::activations::Kind;
use super::layout::{self, GROUP, PART, Scales, Shape, TILE_ROWS, half_at, tile_bytes};
use crate::memory::{Arena, Buffer};
use crate::pool::{Disjoint, Pool};

/// A matrix of `rows` outputs and `columns` inputs.
pub struct Matrix {
    format: Format,
    rows: usize,
    columns: usize,
    data: Buffer,
}

impl Matrix {
    /// Packs a tensor as it lies in a model file: row after row, in blocks of `format`. About as large as the original.
    ///
    /// # Errors
    /// The system refuses the memory.
    ///
    /// # Panics
    /// When a row is no whole number of blocks or `raw` is not `rows` of them.
    pub fn pack(
        format: Format,
        raw: &[u8],
        rows: usize,
        columns: usize,
        pool: &Pool,
        arena: &mut Arena,
    ) -> io::Result<Matrix> {
        let block = format.block_len();
        assert!(columns.is_multiple_of(block), "a row of {columns} {} in blocks of {block}", format.name());
        let row_bytes = columns / block * format.block_bytes();
        assert_eq!(raw.len(), rows * row_bytes, "bytes of {rows} x {columns} {}", format.name());
        let tiles = rows.div_ceil(TILE_ROWS);
        let tile_bytes = tile_bytes(format, columns);
        let mut data = arena.take(tiles * tile_bytes)?;
        let packed = Disjoint::new(data.bytes_mut());
        pool.run(tiles, 1, &|range| {
            for tile in range {
                // SAFETY: every tile is packed once.
                let packed = unsafe { packed.slice(tile * tile_bytes..(tile + 1) * tile_bytes) };
                let first = tile * TILE_ROWS;
                for row in first..rows.min(first + TILE_ROWS) {
                    pack_row(format, &raw[row * row_bytes..][..row_bytes], row - first, packed);
                }
            }
        });
        Ok(Matrix { format, rows, columns, data })
    }

    /// Length of an output.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Length of an input.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Of the weights.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How activations must be rounded for it.
    pub fn kind(&self) -> Kind {
        Kind::of(self.format)
    }

    /// Bytes it occupies.
    pub fn bytes(&self) -> usize {
        self.data.bytes().len()
    }

    /// How many tiles of [`TILE_ROWS`] rows there are; the last may be filled up with zeros.
    pub fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE_ROWS)
    }

    /// The weights of a row as numbers: the same as in the file.
    ///
    /// # Panics
    /// When there is no such row or `out` is not as long as one.
    pub fn row(&self, index: usize, out: &mut [f32]) {
        assert!(index < self.rows && out.len() == self.columns, "row {index} of {} into {}", self.rows, out.len());
        let tile = self.packed(index / TILE_ROWS..index / TILE_ROWS + 1);
        let row = index % TILE_ROWS;
        for (group, out) in tile.chunks(tile_bytes(self.format, GROUP)).zip(out.chunks_mut(GROUP)) {
            match layout::shape(self.format) {
                None => floats_of_row(self.format, group, row, out),
                Some(shape) => integers_of_row(shape, group, row, out),
            }
        }
    }

    /// The bytes of some tiles.
    pub(super) fn packed(&self, tiles: Range<usize>) -> &[u8] {
        let size = tile_bytes(self.format, self.columns);
        &self.data.bytes()[tiles.start * size..tiles.end * size]
    }
}

fn floats_of_row(format: Format, group: &[u8], row: usize, out: &mut [f32]) {
    let width = format.block_bytes();
    for (weights, out) in group.chunks(TILE_ROWS * width).zip(out) {
        let weight = &weights[row * width..][..width];
        *out = match format {
            Format::F16 => f16::from_le_bytes([weight[0], weight[1]]).to_f32(),
            Format::BF16 => bf16::from_le_bytes([weight[0], weight[1]]).to_f32(),
            _ => f32::from_le_bytes([weight[0], weight[1], weight[2], weight[3]]),
        };
    }
}

fn integers_of_row(shape: Shape, group: &[u8], row: usize, out: &mut [f32]) {
    for (part, out) in out.chunks_mut(PART).enumerate() {
        let weights = shape.load(group, part, row).map(|weight| (i32::from(weight) - shape.offset()) as f32);
        for (column, (out, weight)) in out.iter_mut().zip(weights).enumerate() {
            *out = match shape.scales {
                Scales::Parts => half_at(group, shape.part_scale(part, row)) * weight,
                Scales::Minima => {
                    let scale = half_at(group, shape.group_scale(row)) * f32::from(group[shape.scale(part, row)]);
                    let minimum = half_at(group, shape.group_minimum(row)) * f32::from(group[shape.minimum(part, row)]);
                    scale * weight - minimum
                }
                Scales::Sixteens => {
                    let scale = group[shape.scale(2 * part + column / 16, row)] as i8;
                    half_at(group, shape.group_scale(row)) * f32::from(scale) * weight
                }
            };
        }
    }
}

/// Packs `raw`, a row in the file's layout (that of llama.cpp's `ggml-common.h`), as row `row` of a tile.
fn pack_row(format: Format, raw: &[u8], row: usize, tile: &mut [u8]) {
    let groups = tile.chunks_mut(tile_bytes(format, GROUP));
    let raw_groups = raw.chunks(GROUP / format.block_len() * format.block_bytes());
    for (raw, group) in raw_groups.zip(groups) {
        match format {
            Format::F32 | Format::F16 | Format::BF16 => {
                let width = format.block_bytes();
                for (raw, weights) in raw.chunks(width).zip(group.chunks_mut(TILE_ROWS * width)) {
                    weights[row * width..][..width].copy_from_slice(raw);
                }
            }
            Format::Q4_0 => pack_q4_0(raw, row, group),
            Format::Q8_0 => pack_q8_0(raw, row, group),
            Format::Q4K => pack_q4_k(raw, row, group),
            Format::Q5K => pack_q5_k(raw, row, group),
            Format::Q6K => pack_q6_k(raw, row, group),
        }
    }
}

fn pack_q4_0(raw: &[u8], row: usize, group: &mut [u8]) {
    for (part, block) in raw.as_chunks::<18>().0.iter().enumerate() {
        let weights = std::array::from_fn(|column| block[2 + column % 16] >> (4 * (column / 16)) & 15);
        layout::Q4_0.store(group, part, row, &weights);
        copy(group, layout::Q4_0.part_scale(part, row), &block[..2]);
    }
}

fn pack_q8_0(raw: &[u8], row: usize, group: &mut [u8]) {
    for (part, block) in raw.as_chunks::<34>().0.iter().enumerate() {
        let weights = std::array::from_fn(|column| block[2 + column] ^ 128);
        layout::Q8_0.store(group, part, row, &weights);
        copy(group, layout::Q8_0.part_scale(part, row), &block[..2]);
    }
}

fn pack_q4_k(raw: &[u8], row: usize, group: &mut [u8]) {
    pack_minima(layout::Q4K, &raw[..16], row, group);
    for part in 0..8 {
        let low = &raw[16 + part / 2 * 32..][..32];
        let weights = std::array::from_fn(|column| low[column] >> (4 * (part % 2)) & 15);
        layout::Q4K.store(group, part, row, &weights);
    }
}

fn pack_q5_k(raw: &[u8], row: usize, group: &mut [u8]) {
    pack_minima(layout::Q5K, &raw[..16], row, group);
    let high = &raw[16..48];
    for part in 0..8 {
        let low = &raw[48 + part / 2 * 32..][..32];
        let weights =
            std::array::from_fn(|column| low[column] >> (4 * (part % 2)) & 15 | (high[column] >> part & 1) << 4);
        layout::Q5K.store(group, part, row, &weights);
    }
}

fn pack_q6_k(raw: &[u8], row: usize, group: &mut [u8]) {
    for part in 0..8 {
        let (half, quarter) = (part / 4, part % 4);
        let low = &raw[64 * half + quarter % 2 * 32..][..32];
        let high = &raw[128 + 32 * half..][..32];
        let weights = std::array::from_fn(|column| {
            low[column] >> (4 * (quarter / 2)) & 15 | (high[column] >> (2 * quarter) & 3) << 4
        });
        layout::Q6K.store(group, part, row, &weights);
    }
    for (index, scale) in raw[192..208].iter().enumerate() {
        group[layout::Q6K.scale(index, row)] = *scale;
    }
    copy(group, layout::Q6K.group_scale(row), &raw[208..210]);
}

/// The scales and minima at the head of a K block: two f16, then eight times six bits each in 12 bytes.
fn pack_minima(shape: Shape, head: &[u8], row: usize, group: &mut [u8]) {
    copy(group, shape.group_scale(row), &head[..2]);
    copy(group, shape.group_minimum(row), &head[2..4]);
    let bits = &head[4..];
    for part in 0..4 {
        group[shape.scale(part, row)] = bits[part] & 63;
        group[shape.minimum(part, row)] = bits[part + 4] & 63;
        group[shape.scale(part + 4, row)] = bits[part + 8] & 15 | bits[part] >> 6 << 4;
        group[shape.minimum(part + 4, row)] = bits[part + 8] >> 4 | bits[part + 4] >> 6 << 4;
    }
}

fn copy(group: &mut [u8], at: usize, bytes: &[u8]) {
    group[at..at + bytes.len()].copy_from_slice(bytes);
}
