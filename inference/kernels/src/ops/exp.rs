//! The exponential function.

use std::f32::consts::LOG2_E;

use super::simd::Simd;

/// Below, the result is zero.
const SMALLEST: f32 = -87.0;
/// Adding it rounds to an integer, and leaves that in the low bits.
const ROUND: f32 = 12_582_912.0;
/// `ln(2)` in two parts, the first so short that its products with small integers are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Minimax polynomial of `e^r` on `|r| <= ln(2) / 2`, as in Cephes, from the power 7 down to 2.
const COEFFICIENTS: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1];

/// `e^x` for `x <= 88`, within 2e-7 of the true value; zero for `x < -87`; exactly one for zero.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let round = simd.splat(ROUND);
    let rounded = simd.mul_add(x, simd.splat(LOG2_E), round);
    let whole = simd.sub(rounded, round);
    let mut rest = x;
    for part in LN_2 {
        rest = simd.mul_add(whole, simd.splat(-part), rest);
    }
    let mut sum = simd.splat(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        sum = simd.mul_add(sum, rest, simd.splat(*coefficient));
    }
    let fraction = simd.add(simd.mul_add(sum, simd.mul(rest, rest), rest), simd.splat(1.0));
    simd.where_at_least(x, simd.splat(SMALLEST), simd.mul(fraction, simd.power_of_two(rounded)))
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Kernel, LANES, dispatch};
    use super::*;
    use crate::Level;

    struct Exp<'a>(&'a mut [f32; LANES]);

    impl Kernel for Exp<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let x = simd.load(self.0);
            simd.store(exp(simd, x), self.0);
        }
    }

    fn exp_at(level: Level, x: f32) -> f32 {
        let mut values = [x; LANES];
        dispatch(level, Exp(&mut values));
        assert!(values.iter().all(|value| value.to_bits() == values[0].to_bits()));
        values[0]
    }

    #[test]
    fn exp_is_exact_to_a_few_parts_in_ten_million_and_the_same_at_every_level() {
        for step in -8700..=8800 {
            let x = step as f32 / 100.0;
            let expected = f64::from(x).exp();
            let result = exp_at(Level::Scalar, x);
            assert!((f64::from(result) - expected).abs() / expected < 2e-7, "{x}: {result}");
            for level in Level::available() {
                assert_eq!(exp_at(level, x).to_bits(), result.to_bits(), "{x}, {level:?}");
            }
        }
    }

    #[test]
    fn exp_ends_in_zero() {
        for level in Level::available() {
            assert_eq!(exp_at(level, 0.0), 1.0);
            for x in [-87.1, -1e30, f32::NEG_INFINITY, f32::NAN] {
                assert_eq!(exp_at(level, x), 0.0, "{x}");
            }
        }
    }
}
