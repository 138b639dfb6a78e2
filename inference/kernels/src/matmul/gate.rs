//! `silu(gate) * up`, with an exponential that is the same on every level.

/// Over whole arrays, so that the compiler makes vectors of it.
#[inline(always)]
pub(super) fn gate<const LEN: usize>(gate: &mut [f32; LEN], up: &[f32; LEN]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        *gate = *gate / (1.0 + exp(-*gate)) * up;
    }
}

/// Within 2 units in the last place where the result is a normal number; below it stops at 1e-38, above at 2e38.
/// Polynomial and constants of Cephes' `expf`.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added to a small number, it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let power = rounded - ROUND;
    let rest = power.mul_add(-0.693_359_4, x);
    let rest = power.mul_add(2.121_944_4e-4, rest);
    let polynomial = 1.987_569_1e-4_f32
        .mul_add(rest, 1.398_199_9e-3)
        .mul_add(rest, 8.333_452e-3)
        .mul_add(rest, 4.166_579_6e-2)
        .mul_add(rest, 1.666_666_5e-1)
        .mul_add(rest, 0.5);
    let result = polynomial.mul_add(rest * rest, rest) + 1.0;
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    f32::from_bits(result.to_bits().wrapping_add(exponent << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_close_everywhere() {
        for step in -8730..8830 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2.4e-7, "exp({x}) = {} instead of {exact}", exp(x));
        }
    }

    #[test]
    fn gate_is_zero_far_below_the_identity_far_above_and_keeps_nan() {
        let mut values = [-1e30, -100.0, 0.0, 100.0, 1e30, f32::NAN];
        gate(&mut values, &[2.0; 6]);
        assert!(values[0].abs() < 1e-6 && values[1].abs() < 1e-30, "{values:?}");
        assert_eq!(values[2..5], [0.0, 200.0, 2e30]);
        assert!(values[5].is_nan());
    }
}
