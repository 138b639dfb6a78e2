//! Inputs of a matrix product, rounded to 8 bits as the weights' formats want it.
//!
//! As packed weights are cut into groups of columns, so are the rows here; the rows' blocks of one group lie side by side.

#![allow(unsafe_code)]

use std::ops::Range;

use gguf::Format;

use super::kernels;
use super::layout::GROUP;
use crate::Level;
use crate::pool::{Disjoint, Pool};

/// How a row is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Not at all: for weights that are floats.
    Floats,
    /// With a scale for 32 columns: for Q4_0 and Q8_0.
    Blocks32,
    /// With a scale for 256 columns: for the K formats.
    Blocks256,
}

impl Kind {
    /// What weights of a format are multiplied with.
    pub const fn of(format: Format) -> Kind {
        match format {
            Format::F32 | Format::F16 | Format::BF16 => Kind::Floats,
            Format::Q4_0 | Format::Q8_0 => Kind::Blocks32,
            Format::Q4K | Format::Q5K | Format::Q6K => Kind::Blocks256,
        }
    }

    /// Columns and bytes of a block.
    const fn block(self) -> (usize, usize) {
        match self {
            Kind::Floats => (1, size_of::<f32>()),
            Kind::Blocks32 => (32, size_of::<Block32>()),
            Kind::Blocks256 => (256, size_of::<Block256>()),
        }
    }

    /// Bytes of `columns` columns of a row.
    pub(super) const fn bytes(self, columns: usize) -> usize {
        columns / self.block().0 * self.block().1
    }
}

/// 256 columns of a row; the number that stands for `quants[i]` is `quants[i] * scale`.
#[repr(C)]
pub(super) struct Block256 {
    /// -127 to 127.
    pub(super) quants: [i8; 256],
    /// -32 times the sum of each 16: takes the offset from weights of 6 bits.
    pub(super) offsets: [i32; 16],
    /// Sum of each 32.
    pub(super) sums: [i16; 8],
    pub(super) scale: f32,
}

/// 32 columns of a row.
#[repr(C)]
pub(super) struct Block32 {
    pub(super) quants: [i8; 32],
    /// -8 and -128 times the sum: takes the offset from weights of 4 and 8 bits.
    pub(super) offsets: [i32; 2],
    pub(super) scale: f32,
}

/// Rows of one input, in each [`Kind`] that is asked for; made to be filled again and again.
pub struct Activations {
    rows: usize,
    columns: usize,
    /// By kind; those not asked for stay empty.
    data: [Vec<Word>; 3],
    kinds: Vec<Kind>,
}

/// What all blocks are made of.
type Word = u32;

impl Activations {
    /// No rows yet, to be rounded in `kinds`.
    pub fn new(kinds: &[Kind]) -> Activations {
        let mut kinds = kinds.to_vec();
        kinds.sort_by_key(|kind| *kind as usize);
        kinds.dedup();
        Activations { rows: 0, columns: 0, data: [const { Vec::new() }; 3], kinds }
    }

    /// Rows that it holds.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of each.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes that it holds, whether in use or not.
    pub fn bytes(&self) -> usize {
        self.data.iter().map(|data| size_of_val(data.as_slice())).sum()
    }

    /// Takes `rows` rows of `columns`, which `write` puts into the slice that it is given, whose content is undefined.
    /// Each row is rounded by itself; where one has a number that is not finite, its products are NaN.
    ///
    /// # Panics
    /// When the columns are no whole number of a kind's blocks, or the processor lacks `level`.
    pub fn fill_with(
        &mut self,
        level: Level,
        pool: &Pool,
        rows: usize,
        columns: usize,
        write: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        (self.rows, self.columns) = (rows, columns);
        for kind in &self.kinds {
            let block = kind.block().0;
            assert!(columns.is_multiple_of(block), "rows of {columns} columns for weights in blocks of {block}");
            let words = rows * kind.bytes(columns) / size_of::<Word>();
            let data = &mut self.data[*kind as usize];
            if data.len() < words {
                data.resize(words, 0);
            }
        }
        let [floats, blocks32, blocks256] = self.data.each_mut().map(|data| Disjoint::new(bytes_mut(data)));
        let by_kind = [&floats, &blocks32, &blocks256];
        let kinds = &self.kinds;
        let round = kernels::rounding(level);
        pool.run(rows, rows.div_ceil(4 * pool.threads()), &|range| {
            let mut values = vec![0.0; columns];
            for row in range {
                write(row, &mut values);
                for (index, values) in values.chunks(GROUP).enumerate() {
                    for kind in kinds {
                        let size = kind.bytes(values.len());
                        let at = index * rows * kind.bytes(GROUP) + row * size;
                        // SAFETY: every row is written once, and rows share no bytes.
                        let bytes = unsafe { by_kind[*kind as usize].slice(at..at + size) };
                        // SAFETY: `rounding` has seen that the processor has the level.
                        unsafe { round(*kind, values, bytes) };
                    }
                }
            }
        });
    }

    /// Takes rows that lie one after another.
    ///
    /// # Panics
    /// As [`Activations::fill_with`], and when `rows` is no whole number of them.
    pub fn fill(&mut self, level: Level, pool: &Pool, rows: &[f32], columns: usize) {
        assert!(rows.len().is_multiple_of(columns), "{} numbers in rows of {columns}", rows.len());
        self.fill_with(level, pool, rows.len() / columns, columns, &|row, values| {
            values.copy_from_slice(&rows[row * columns..][..columns]);
        });
    }

    /// The blocks of some rows, of the group of columns that begins at `column`.
    ///
    /// # Panics
    /// When rows were not rounded in this kind.
    pub(super) fn blocks(&self, kind: Kind, column: usize, rows: Range<usize>) -> &[u8] {
        assert!(self.kinds.contains(&kind), "activations in {:?} for weights that need {kind:?}", self.kinds);
        let size = kind.bytes(GROUP.min(self.columns - column));
        let group = self.rows * kind.bytes(column);
        &bytes(&self.data[kind as usize])[group + rows.start * size..group + rows.end * size]
    }
}

fn bytes(words: &[Word]) -> &[u8] {
    // SAFETY: words are initialised bytes.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

fn bytes_mut(words: &mut [Word]) -> &mut [u8] {
    // SAFETY: words are bytes, and any bytes are words.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
}

/// Writes a row's part of a group in one kind. Compiled for each level, with the same result.
#[inline(always)]
pub(super) fn round(kind: Kind, values: &[f32], out: &mut [u8]) {
    match kind {
        Kind::Floats => {
            for (value, out) in values.iter().zip(out.as_chunks_mut::<4>().0) {
                *out = value.to_ne_bytes();
            }
        }
        Kind::Blocks32 => {
            for (values, out) in values.as_chunks().0.iter().zip(out.as_chunks_mut::<{ size_of::<Block32>() }>().0) {
                let (quants, scale) = quantize::<32>(values);
                let sum = sum(&quants);
                let block = Block32 { quants, offsets: [-8 * sum, -128 * sum], scale };
                // SAFETY: a block has no padding.
                *out = unsafe { std::mem::transmute::<Block32, [u8; size_of::<Block32>()]>(block) };
            }
        }
        Kind::Blocks256 => {
            for (values, out) in values.as_chunks().0.iter().zip(out.as_chunks_mut::<{ size_of::<Block256>() }>().0) {
                let (quants, scale) = quantize::<256>(values);
                let mut block = Block256 { quants, offsets: [0; 16], sums: [0; 8], scale };
                for (offset, quants) in block.offsets.iter_mut().zip(quants.as_chunks::<16>().0) {
                    *offset = -32 * sum(quants);
                }
                for (total, quants) in block.sums.iter_mut().zip(quants.as_chunks::<32>().0) {
                    *total = sum(quants) as i16;
                }
                // SAFETY: as above.
                *out = unsafe { std::mem::transmute::<Block256, [u8; size_of::<Block256>()]>(block) };
            }
        }
    }
}

#[inline(always)]
fn sum(quants: &[i8]) -> i32 {
    quants.iter().map(|quant| i32::from(*quant)).sum()
}

/// Numbers as -127 to 127, to nearest, ties to even, and what one is worth. Numbers so small that the inverse of their
/// scale is infinite become 0.
#[inline(always)]
fn quantize<const LEN: usize>(values: &[f32; LEN]) -> ([i8; LEN], f32) {
    // As integers, so that NaN is larger than everything.
    let largest = values.iter().fold(0, |largest: u32, value| largest.max(value.to_bits() & (u32::MAX >> 1)));
    let largest = f32::from_bits(largest);
    if !largest.is_finite() {
        return ([0; LEN], f32::NAN);
    }
    let inverse = 127.0 / largest;
    if !inverse.is_finite() {
        return ([0; LEN], 0.0);
    }
    /// Added to a small number, it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let mut quants = [0; LEN];
    for (quant, value) in quants.iter_mut().zip(values) {
        *quant = (value * inverse + ROUND).to_bits() as i8;
    }
    (quants, largest / 127.0)
}
