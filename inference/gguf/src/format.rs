//! How a tensor's numbers are stored.

/// The formats that are computed with, in blocks along a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an `F32`.
    BF16,
    /// 32 weights: an f16 scale, 4 bits each, offset 8.
    Q4_0,
    /// 32 weights: an f16 scale, 8 bits each.
    Q8_0,
    /// 256 weights: f16 scale and minimum, 6-bit scale and minimum per 32, 4 bits each.
    Q4K,
    /// As `Q4K` with 5 bits each.
    Q5K,
    /// 256 weights: an f16 scale, an 8-bit scale per 16, 6 bits each, offset 32.
    Q6K,
}

impl Format {
    /// Weights of a block: a row is a whole number of them.
    pub const fn block_len(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::BF16 => 1,
            Format::Q4_0 | Format::Q8_0 => 32,
            Format::Q4K | Format::Q5K | Format::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::BF16 => 2,
            Format::Q4_0 => 18,
            Format::Q8_0 => 34,
            Format::Q4K => 144,
            Format::Q5K => 176,
            Format::Q6K => 210,
        }
    }
}
