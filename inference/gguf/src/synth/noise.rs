//! Random weights, made as blocks of their format: symmetric around zero, of a given standard deviation.

use half::{bf16, f16};

use crate::format::Format;
use crate::quantize::pack_six_bits;

/// A sequence of numbers: SplitMix64.
pub(super) struct Noise(u64);

impl Noise {
    /// Each tensor has its own sequence, wherever in the file it stands.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Noise(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, hash))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn bytes(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Uniform in `-1..1`.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// An f16 around `scale`: blocks of trained models differ in size, too.
    fn scale(&mut self, scale: f32) -> f16 {
        f16::from_f32(scale * (1.0 + 0.3 * self.unit()))
    }

    /// Fills whole blocks with weights of standard deviation `deviation`.
    pub(super) fn fill(&mut self, format: Format, deviation: f32, out: &mut [u8]) {
        let uniform = deviation * 3.0_f32.sqrt();
        match format {
            Format::F32 => each(out, |out| *out = (self.unit() * uniform).to_le_bytes()),
            Format::F16 => each(out, |out| *out = f16::from_f32(self.unit() * uniform).to_le_bytes()),
            Format::BF16 => each(out, |out| *out = bf16::from_f32(self.unit() * uniform).to_le_bytes()),
            Format::Q4_0 => each(out, |block| self.q4_0(deviation, block)),
            Format::Q8_0 => each(out, |block| self.q8_0(deviation, block)),
            Format::Q4K => each(out, |block: &mut [u8; 144]| self.k(deviation, 4, block)),
            Format::Q5K => each(out, |block: &mut [u8; 176]| self.k(deviation, 5, block)),
            Format::Q6K => each(out, |block| self.q6_k(deviation, block)),
        }
    }

    /// From -7 to 7: -8 becomes 0.
    fn q4_0(&mut self, deviation: f32, block: &mut [u8; 18]) {
        self.bytes(block);
        for byte in &mut block[2..] {
            *byte |= if *byte & 0x0f == 0 { 0x08 } else { 0 } | if *byte & 0xf0 == 0 { 0x80 } else { 0 };
        }
        block[..2].copy_from_slice(&self.scale(deviation / 4.18).to_le_bytes());
    }

    /// From -127 to 127: -128 becomes 0.
    fn q8_0(&mut self, deviation: f32, block: &mut [u8; 34]) {
        self.bytes(block);
        for byte in &mut block[2..] {
            *byte = if *byte == 0x80 { 0 } else { *byte };
        }
        block[..2].copy_from_slice(&self.scale(deviation / 73.5).to_le_bytes());
    }

    /// Weights from 0 to `2^bits - 1`, less a minimum of half of that: a part's scale and minimum are about the same
    /// number, from 33 to 62 of the 63 that there are.
    fn k(&mut self, deviation: f32, bits: u32, block: &mut [u8]) {
        self.bytes(block);
        let (mut scales, mut minima) = ([0; 8], [0; 8]);
        for (scale, minimum) in scales.iter_mut().zip(&mut minima) {
            let random = self.next();
            *scale = 33 + (random % 30) as u8;
            *minimum = *scale - 1 + (random >> 32) as u8 % 3;
        }
        block[4..16].copy_from_slice(&pack_six_bits(scales, minima));
        let largest = ((1 << bits) - 1) as f32;
        // Root of the mean square of 33..=62, and the deviation of a uniform integer.
        let per_scale = 48.3 * (((largest + 1.0) * (largest + 1.0) - 1.0) / 12.0).sqrt();
        let scale = self.scale(deviation / per_scale);
        let minimum = f16::from_f32(scale.to_f32() * largest / 2.0);
        block[..2].copy_from_slice(&scale.to_le_bytes());
        block[2..4].copy_from_slice(&minimum.to_le_bytes());
    }

    /// Scales of either sign, from 64 to 127: so the uneven range of the weights, -32 to 31, is evened out.
    fn q6_k(&mut self, deviation: f32, block: &mut [u8; 210]) {
        self.bytes(block);
        for scale in &mut block[192..208] {
            let size = (64 + (*scale & 63)) as i8;
            *scale = if *scale & 64 == 0 { size } else { -size } as u8;
        }
        // Root of the mean square of 64..=127, and that of -32..=31.
        block[208..].copy_from_slice(&self.scale(deviation / (97.3 * 18.5)).to_le_bytes());
    }
}

fn each<const BYTES: usize>(out: &mut [u8], fill: impl FnMut(&mut [u8; BYTES])) {
    out.as_chunks_mut().0.iter_mut().for_each(fill);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_every_format_have_the_deviation_that_was_asked_for() {
        const LEN: usize = 1 << 16;
        for format in Format::ALL {
            let mut bytes = vec![0; LEN / format.block_len() * format.block_bytes()];
            let mut values = vec![0.0; LEN];
            Noise::new(3, "tensor").fill(format, 0.01, &mut bytes);
            format.dequantize(&bytes, &mut values);
            let mean = values.iter().sum::<f32>() / LEN as f32;
            let deviation = (values.iter().map(|value| value * value).sum::<f32>() / LEN as f32).sqrt();
            assert!(mean.abs() < 2e-4, "{format:?}: mean {mean}");
            assert!((0.0095..0.0105).contains(&deviation), "{format:?}: deviation {deviation}");
        }
    }
}
