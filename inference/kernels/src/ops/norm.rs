//! Root mean square norm.

use super::simd::{Kernel, LANES, Lanes, Simd, dispatch};
use crate::Level;

/// `out = row / sqrt(mean(row²) + epsilon) * weight`, all of one length.
///
/// # Panics
/// When lengths differ.
pub fn rms_norm(level: Level, row: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    assert!(row.len() == weight.len() && row.len() == out.len(), "a row, its weight and its result have one length");
    dispatch(level, RmsNorm { row, weight, epsilon, out });
}

struct RmsNorm<'a> {
    row: &'a [f32],
    weight: &'a [f32],
    epsilon: f32,
    out: &'a mut [f32],
}

impl Kernel for RmsNorm<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (rows, rest) = self.row.as_chunks::<LANES>();
        let mut sums = simd.zero();
        for row in rows {
            let row = simd.load(row);
            sums = simd.mul_add(row, row, sums);
        }
        let mut total = Lanes::ZERO;
        simd.store(sums, &mut total.0);
        for (sum, value) in total.0.iter_mut().zip(rest) {
            *sum = value.mul_add(*value, *sum);
        }
        let scale = (total.sum() / self.row.len() as f32 + self.epsilon).sqrt().recip();
        let factor = simd.splat(scale);
        let (weights, rest_of_weights) = self.weight.as_chunks::<LANES>();
        let (outs, rest_of_outs) = self.out.as_chunks_mut::<LANES>();
        for ((row, weight), out) in rows.iter().zip(weights).zip(outs) {
            simd.store(simd.mul(simd.mul(simd.load(row), factor), simd.load(weight)), out);
        }
        for ((value, weight), out) in rest.iter().zip(rest_of_weights).zip(rest_of_outs) {
            *out = value * scale * weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::noise;
    use super::*;

    #[test]
    fn norm_is_close_to_exact_and_the_same_at_every_level() {
        for len in [1, 15, 16, 17, 64, 100, 2048] {
            let (row, weight) = (noise(1, len), noise(2, len));
            let mean = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / len as f64;
            let mut reference = vec![0.0; len];
            rms_norm(Level::Scalar, &row, &weight, 1e-5, &mut reference);
            for ((row, weight), out) in row.iter().zip(&weight).zip(&reference) {
                let expected = f64::from(*row) / (mean + 1e-5).sqrt() * f64::from(*weight);
                assert!((f64::from(*out) - expected).abs() < 1e-6, "{len}: {out}, {expected}");
            }
            for level in Level::available() {
                let mut out = vec![0.0; len];
                rms_norm(level, &row, &weight, 1e-5, &mut out);
                assert_eq!(out, reference, "{len}, {level:?}");
            }
        }
    }
}
