//! How a tensor's numbers are stored.

use crate::{blocks, quantize};

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
    /// Every format.
    pub const ALL: [Format; 8] =
        [Format::F32, Format::F16, Format::BF16, Format::Q4_0, Format::Q8_0, Format::Q4K, Format::Q5K, Format::Q6K];

    /// The format of a `ggml_type` number.
    pub fn from_ggml(number: u32) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.to_ggml() == number)
    }

    /// Its `ggml_type` number.
    pub const fn to_ggml(self) -> u32 {
        match self {
            Format::F32 => 0,
            Format::F16 => 1,
            Format::Q4_0 => 2,
            Format::Q8_0 => 8,
            Format::Q4K => 12,
            Format::Q5K => 13,
            Format::Q6K => 14,
            Format::BF16 => 30,
        }
    }

    /// As people write it: `Q4_K`.
    pub const fn name(self) -> &'static str {
        match self {
            Format::F32 => "F32",
            Format::F16 => "F16",
            Format::BF16 => "BF16",
            Format::Q4_0 => "Q4_0",
            Format::Q8_0 => "Q8_0",
            Format::Q4K => "Q4_K",
            Format::Q5K => "Q5_K",
            Format::Q6K => "Q6_K",
        }
    }

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

    /// Bytes of a row; `None` where it is not made of whole blocks, or too long to be counted.
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        if !columns.is_multiple_of(self.block_len()) {
            return None;
        }
        (columns / self.block_len()).checked_mul(self.block_bytes())
    }

    /// The numbers that whole blocks stand for, as llama.cpp computes them.
    ///
    /// # Panics
    /// Where `out` is not as long as the blocks say.
    pub fn dequantize(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(self.row_bytes(out.len()), Some(bytes.len()), "{} numbers of {}", out.len(), self.name());
        match self {
            Format::F32 => blocks::each(bytes, out, blocks::f32),
            Format::F16 => blocks::each(bytes, out, blocks::f16),
            Format::BF16 => blocks::each(bytes, out, blocks::bf16),
            Format::Q4_0 => blocks::each(bytes, out, blocks::q4_0),
            Format::Q8_0 => blocks::each(bytes, out, blocks::q8_0),
            Format::Q4K => blocks::each(bytes, out, blocks::q4_k),
            Format::Q5K => blocks::each(bytes, out, blocks::q5_k),
            Format::Q6K => blocks::each(bytes, out, blocks::q6_k),
        }
    }

    /// The blocks that come nearest to the numbers.
    ///
    /// # Panics
    /// Where `values` are not whole blocks, or `out` is not as long as these.
    pub fn quantize(self, values: &[f32], out: &mut [u8]) {
        assert_eq!(self.row_bytes(values.len()), Some(out.len()), "{} numbers of {}", values.len(), self.name());
        match self {
            Format::F32 => quantize::each(values, out, quantize::f32),
            Format::F16 => quantize::each(values, out, quantize::f16),
            Format::BF16 => quantize::each(values, out, quantize::bf16),
            Format::Q4_0 => quantize::each(values, out, quantize::q4_0),
            Format::Q8_0 => quantize::each(values, out, quantize::q8_0),
            Format::Q4K => quantize::each(values, out, quantize::q4_k),
            Format::Q5K => quantize::each(values, out, quantize::q5_k),
            Format::Q6K => quantize::each(values, out, quantize::q6_k),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_ggml_lead_back_to_the_format() {
        for format in Format::ALL {
            assert_eq!(Format::from_ggml(format.to_ggml()), Some(format));
        }
        assert_eq!(Format::from_ggml(10), None);
    }

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(Format::Q4K.row_bytes(512), Some(288));
        assert_eq!(Format::Q4K.row_bytes(500), None);
        assert_eq!(Format::F32.row_bytes(usize::MAX), None);
    }
}
