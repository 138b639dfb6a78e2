//! The exponential function.

use super::simd::Simd;

/// Below, the result is zero.
const SMALLEST: f32 = -126.0;
/// Adding it rounds to an integer, and leaves that in the low bits.
const ROUND: f32 = 12_582_912.0;
/// `2^r` by powers of `r`, from the sixth down to the first; the least relative error on `|r| <= 1/2`.
const COEFFICIENTS: [f32; 6] =
    [1.535_336_2e-4, 1.339_887_5e-3, 9.618_437e-3, 5.550_332_4e-2, 2.402_264_8e-1, 6.931_472e-1];

/// `2^x` for `x <= 127`, within 2e-7 of the true value; zero for `x < -126`; exactly one for zero.
#[inline(always)]
pub(crate) fn exp2<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let round = simd.splat(ROUND);
    let rounded = simd.add(x, round);
    let rest = simd.sub(x, simd.sub(rounded, round));
    let mut sum = simd.splat(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        sum = simd.mul_add(sum, rest, simd.splat(*coefficient));
    }
    let fraction = simd.mul_add(sum, rest, simd.splat(1.0));
    simd.where_at_least(x, simd.splat(SMALLEST), simd.mul(fraction, simd.power_of_two(rounded)))
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Kernel, LANES, dispatch};
    use super::*;
    use crate::Level;

    struct Exp2<'a>(&'a mut [f32; LANES]);

    impl Kernel for Exp2<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let x = simd.load(self.0);
            simd.store(exp2(simd, x), self.0);
        }
    }

    fn exp2_at(level: Level, x: f32) -> f32 {
        let mut values = [x; LANES];
        dispatch(level, Exp2(&mut values));
        assert!(values.iter().all(|value| value.to_bits() == values[0].to_bits()));
        values[0]
    }

    #[test]
    fn powers_are_exact_to_a_few_parts_in_ten_million_and_the_same_at_every_level() {
        for step in -12600..=12700 {
            let x = step as f32 / 100.0;
            let expected = f64::from(x).exp2();
            let result = exp2_at(Level::Scalar, x);
            assert!((f64::from(result) - expected).abs() / expected < 2e-7, "{x}: {result}, {expected}");
            for level in Level::available() {
                assert_eq!(exp2_at(level, x).to_bits(), result.to_bits(), "{x}, {level:?}");
            }
        }
    }

    #[test]
    fn powers_end_in_zero() {
        for level in Level::available() {
            assert_eq!(exp2_at(level, 0.0), 1.0);
            for x in [-126.1, -1e30, f32::NEG_INFINITY, f32::NAN] {
                assert_eq!(exp2_at(level, x), 0.0, "{x}");
            }
        }
    }
}
