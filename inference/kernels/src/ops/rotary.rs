//! Rotary positions: pairs `(2i, 2i + 1)`, as GGUF's llama architecture has them.

use super::simd::{Kernel, LANES, Simd, dispatch};
use crate::Level;

/// Frequencies of the rotation.
pub struct Rope {
    inverse_frequencies: Vec<f32>,
}

/// Cosines and sines of the positions of some rows.
#[derive(Default)]
pub struct Angles {
    /// `[row][cosines | sines][head_dim]`: each cosine twice, each sine first negative.
    values: Vec<f32>,
    head_dim: usize,
}

impl Rope {
    /// Heads of `head_dim` values, a multiple of 16; pair `i` turns by `base^(-2i / head_dim)` per position.
    pub fn new(head_dim: usize, base: f32) -> Self {
        assert!(head_dim > 0 && head_dim.is_multiple_of(LANES), "{head_dim} values of a head are no multiple of 16");
        let frequency = |pair: usize| 1.0 / base.powf(2.0 * pair as f32 / head_dim as f32);
        Rope { inverse_frequencies: (0..head_dim / 2).map(frequency).collect() }
    }

    /// Replaces what `angles` holds by those of these positions.
    pub fn angles(&self, positions: impl IntoIterator<Item = usize>, angles: &mut Angles) {
        angles.head_dim = 2 * self.inverse_frequencies.len();
        angles.values.clear();
        for position in positions {
            let start = angles.values.len();
            angles.values.resize(start + 2 * angles.head_dim, 0.0);
            let (cosines, sines) = angles.values[start..].split_at_mut(angles.head_dim);
            let pairs = cosines.as_chunks_mut::<2>().0.iter_mut().zip(sines.as_chunks_mut::<2>().0);
            for ((cosines, sines), frequency) in pairs.zip(&self.inverse_frequencies) {
                let (sine, cosine) = (position as f32 * frequency).sin_cos();
                *cosines = [cosine, cosine];
                *sines = [-sine, sine];
            }
        }
    }
}

impl Angles {
    /// Turns heads `[head][head_dim]` to the position of row `row`.
    ///
    /// # Panics
    /// When there is no such row, or no whole number of heads.
    pub fn rotate(&self, level: Level, row: usize, heads: &mut [f32]) {
        assert!(heads.len().is_multiple_of(self.head_dim), "{} values are no heads of {}", heads.len(), self.head_dim);
        let (cosines, sines) = self.values[row * 2 * self.head_dim..][..2 * self.head_dim].split_at(self.head_dim);
        dispatch(level, Rotate { cosines, sines, heads });
    }
}

struct Rotate<'a> {
    cosines: &'a [f32],
    sines: &'a [f32],
    heads: &'a mut [f32],
}

impl Kernel for Rotate<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for head in self.heads.chunks_exact_mut(self.cosines.len()) {
            let angles = self.cosines.as_chunks::<LANES>().0.iter().zip(self.sines.as_chunks::<LANES>().0);
            for (values, (cosines, sines)) in head.as_chunks_mut::<LANES>().0.iter_mut().zip(angles) {
                let vector = simd.load(values);
                let kept = simd.mul(vector, simd.load(cosines));
                simd.store(simd.mul_add(simd.swap_pairs(vector), simd.load(sines), kept), values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::noise;
    use super::*;

    #[test]
    fn pairs_turn_by_their_frequency_the_same_at_every_level() {
        let rope = Rope::new(64, 10_000.0);
        let mut angles = Angles::default();
        rope.angles([3, 0, 1000], &mut angles);
        for (row, position) in [3, 0, 1000].into_iter().enumerate() {
            let before = noise(1, 3 * 64);
            let mut reference = before.clone();
            angles.rotate(Level::Scalar, row, &mut reference);
            for (index, (before, after)) in before.chunks(2).zip(reference.chunks(2)).enumerate() {
                let angle = position as f64 * 10_000_f64.powf(-2.0 * (index % 32) as f64 / 64.0);
                let (a, b) = (f64::from(before[0]), f64::from(before[1]));
                assert!((f64::from(after[0]) - (a * angle.cos() - b * angle.sin())).abs() < 1e-4);
                assert!((f64::from(after[1]) - (a * angle.sin() + b * angle.cos())).abs() < 1e-4);
            }
            for level in Level::available() {
                let mut heads = before.clone();
                angles.rotate(level, row, &mut heads);
                assert_eq!(heads, reference, "{level:?}");
            }
        }
    }
}
