//! How packed weights lie in memory.
//!
//! A tile is [`TILE_ROWS`] rows of the matrix, in two halves of [`HALF_ROWS`], a vector's worth each. Along the columns
//! it is cut into groups of [`GROUP`]; the groups of a tile and the tiles follow each other, so a product reads memory
//! from front to back. Of floats, a group holds the rows' weights side by side, column by column. Of integers it holds
//! parts of 32 columns; for each, half by half:
//!
//! - formats up to 6 bits: four times 64 bytes with the lower four bits. Byte `4 * row + i` of the `v`th 64 has column
//!   `8 * v + i` in its low half, and column `8 * v + 4 + i` in its high half;
//! - then the bits above, byte `4 * row + i` again: 5 bits: bit `j` belongs to column `4 * j + i`; 6 bits: twice 64
//!   bytes, bits `2 * j` and up of the first belong to column `4 * j + i`, of the second to column `16 + 4 * j + i`;
//! - 8 bits: eight times 64 bytes, of which the `j`th holds columns `4 * j + i`.
//!
//! All are unsigned: an offset was added to formats with signed weights. The scales are below, at [`Scales`].

use gguf::Format;
use half::f16;

/// Rows of a tile.
pub const TILE_ROWS: usize = 32;
/// Rows of half a tile.
pub(super) const HALF_ROWS: usize = 16;
/// Columns of a group; the last of a row may be shorter.
pub(super) const GROUP: usize = 256;
/// Columns of a part.
pub(super) const PART: usize = 32;

/// A group of integers: bits of a weight, and scales.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) bits: usize,
    pub(super) scales: Scales,
}

/// What a weight is multiplied with; every list is by row of the tile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scales {
    /// Behind every part: f16 scales.
    Parts,
    /// Behind all parts: u8 scales of each part; u8 minima of each two parts, the two of a row side by side; f16 scales
    /// and minima of the group.
    Minima,
    /// Behind all parts: i8 scales of each 16 columns; f16 scales of the group.
    Sixteens,
}

/// A shape as a type, so that every format has its own code.
pub(super) trait Integers {
    const SHAPE: Shape;
}

/// A constant and a type of the same name.
macro_rules! shapes {
    ($($name:ident: $bits:literal, $scales:ident;)*) => { $(
        pub(super) const $name: Shape = Shape { bits: $bits, scales: Scales::$scales };
        pub(super) enum $name {}
        impl Integers for $name {
            const SHAPE: Shape = $name;
        }
    )* };
}
shapes! {
    Q4_0: 4, Parts;
    Q8_0: 8, Parts;
    Q4K: 4, Minima;
    Q5K: 5, Minima;
    Q6K: 6, Sixteens;
}

/// The shape of an integer format.
pub(super) const fn shape(format: Format) -> Option<Shape> {
    match format {
        Format::F32 | Format::F16 | Format::BF16 => None,
        Format::Q4_0 => Some(Q4_0),
        Format::Q8_0 => Some(Q8_0),
        Format::Q4K => Some(Q4K),
        Format::Q5K => Some(Q5K),
        Format::Q6K => Some(Q6K),
    }
}

/// Bytes of `columns` columns of a tile that begin with a group.
pub(super) const fn tile_bytes(format: Format, columns: usize) -> usize {
    match shape(format) {
        None => columns * TILE_ROWS * format.block_bytes(),
        Some(shape) => columns / PART * shape.part_bytes() + columns / GROUP * shape.tail_bytes(),
    }
}

impl Shape {
    /// Bytes of half a part's weights.
    pub(super) const fn half_bytes(self) -> usize {
        HALF_ROWS * PART * self.bits / 8
    }

    /// From one part to the next.
    pub(super) const fn part_bytes(self) -> usize {
        2 * self.half_bytes() + if matches!(self.scales, Scales::Parts) { 2 * TILE_ROWS } else { 0 }
    }

    /// Where in the group the scales behind all parts begin.
    pub(super) const fn tail(self) -> usize {
        GROUP / PART * self.part_bytes()
    }

    pub(super) const fn tail_bytes(self) -> usize {
        match self.scales {
            Scales::Parts => 0,
            Scales::Minima => 2 * GROUP / PART * TILE_ROWS + 4 * TILE_ROWS,
            Scales::Sixteens => GROUP / 16 * TILE_ROWS + 2 * TILE_ROWS,
        }
    }

    /// What was added to signed weights.
    pub(super) const fn offset(self) -> i32 {
        match (self.scales, self.bits) {
            (Scales::Minima, _) => 0,
            (_, bits) => 1 << (bits - 1),
        }
    }

    /// Where in the group `row`'s scale of a part of format `Parts` is.
    pub(super) const fn part_scale(self, part: usize, row: usize) -> usize {
        part * self.part_bytes() + 2 * self.half_bytes() + 2 * row
    }

    /// Where `row`'s own scale of a part (`Minima`) or of 16 columns (`Sixteens`) is.
    pub(super) const fn scale(self, index: usize, row: usize) -> usize {
        self.tail() + index * TILE_ROWS + row
    }

    /// Where `row`'s minimum of a part is.
    pub(super) const fn minimum(self, part: usize, row: usize) -> usize {
        self.tail() + (GROUP / PART + part / 2 * 2) * TILE_ROWS + 2 * row + part % 2
    }

    /// Where `row`'s scale of the group is.
    pub(super) const fn group_scale(self, row: usize) -> usize {
        self.tail() + GROUP / 16 * TILE_ROWS + 2 * row
    }

    /// Where `row`'s minimum of the group is.
    pub(super) const fn group_minimum(self, row: usize) -> usize {
        self.group_scale(row) + 2 * TILE_ROWS
    }

    /// Writes `row`'s weights of a part.
    pub(super) fn store(self, group: &mut [u8], part: usize, row: usize, weights: &[u8; PART]) {
        let words = weights.as_chunks::<4>().0;
        let word = |index: usize| u32::from_le_bytes(words[index]);
        let half = &mut group[part * self.part_bytes() + row / HALF_ROWS * self.half_bytes()..][..self.half_bytes()];
        let mut put = |vector: usize, word: u32| {
            half[64 * vector + row % HALF_ROWS * 4..][..4].copy_from_slice(&word.to_le_bytes());
        };
        if self.bits == 8 {
            (0..8).for_each(|j| put(j, word(j)));
            return;
        }
        const LOW: u32 = 0x0f0f_0f0f;
        (0..4).for_each(|v| put(v, word(2 * v) & LOW | (word(2 * v + 1) & LOW) << 4));
        match self.bits {
            5 => put(4, (0..8).map(|j| (word(j) >> 4 & 0x0101_0101) << j).sum()),
            6 => (0..2).for_each(|v| put(4 + v, (0..4).map(|j| (word(4 * v + j) >> 4 & 0x0303_0303) << (2 * j)).sum())),
            _ => {}
        }
    }

    /// What [`Shape::store`] wrote.
    pub(super) fn load(self, group: &[u8], part: usize, row: usize) -> [u8; PART] {
        let half = &group[part * self.part_bytes() + row / HALF_ROWS * self.half_bytes()..][..self.half_bytes()];
        std::array::from_fn(|column| {
            let (j, at) = (column / 4, row % HALF_ROWS * 4 + column % 4);
            let low = || half[64 * (j / 2) + at] >> (4 * (j % 2)) & 15;
            match self.bits {
                8 => half[64 * j + at],
                6 => low() | (half[256 + 64 * (j / 4) + at] >> (2 * (j % 4)) & 3) << 4,
                5 => low() | (half[256 + at] >> j & 1) << 4,
                _ => low(),
            }
        })
    }
}

/// The f16 at a place.
pub(super) fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}
