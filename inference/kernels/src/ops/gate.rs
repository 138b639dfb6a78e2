//! The gate of a gated feed-forward network.

use std::f32::consts::LOG2_E;

use super::exp2;
use super::simd::{Kernel, LANES, Simd, dispatch};
use crate::Level;

/// `out = silu(gate) * up`, all of one length.
///
/// # Panics
/// When lengths differ.
pub fn gate(level: Level, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && gate.len() == out.len(), "gate, values and result have one length");
    dispatch(level, Gate { gate, up, out });
}

struct Gate<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Gate<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (gates, rest_of_gates) = self.gate.as_chunks::<LANES>();
        let (ups, rest_of_ups) = self.up.as_chunks::<LANES>();
        let (outs, rest_of_outs) = self.out.as_chunks_mut::<LANES>();
        for ((gate, up), out) in gates.iter().zip(ups).zip(outs) {
            simd.store(gated(simd, simd.load(gate), simd.load(up)), out);
        }
        let (mut gate, mut up) = ([0.0; LANES], [0.0; LANES]);
        gate[..rest_of_gates.len()].copy_from_slice(rest_of_gates);
        up[..rest_of_ups.len()].copy_from_slice(rest_of_ups);
        let mut out = [0.0; LANES];
        simd.store(gated(simd, simd.load(&gate), simd.load(&up)), &mut out);
        rest_of_outs.copy_from_slice(&out[..rest_of_outs.len()]);
    }
}

#[inline(always)]
fn gated<S: Simd>(simd: S, gate: S::Vector, up: S::Vector) -> S::Vector {
    let power = simd.min(simd.mul(gate, simd.splat(-LOG2_E)), simd.splat(127.0));
    simd.mul(simd.div(gate, simd.add(simd.splat(1.0), exp2(simd, power))), up)
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::noise;
    use super::*;

    #[test]
    fn gates_let_through_what_is_positive() {
        for level in Level::available() {
            let mut out = [0.0; 3];
            gate(level, &[100.0, -100.0, 0.0], &[2.0, 3.0, 4.0], &mut out);
            assert!((out[0] - 200.0).abs() < 1e-3 && out[1].abs() < 1e-30 && out[2] == 0.0, "{out:?}");
        }
    }

    #[test]
    fn gates_are_close_to_exact_and_the_same_at_every_level() {
        let gates: Vec<f32> = noise(1, 1003).iter().map(|x| x * 10.0).collect();
        let ups = noise(2, 1003);
        let mut reference = vec![0.0; 1003];
        gate(Level::Scalar, &gates, &ups, &mut reference);
        for ((gate, up), out) in gates.iter().zip(&ups).zip(&reference) {
            let expected = f64::from(*gate) / (1.0 + (-f64::from(*gate)).exp()) * f64::from(*up);
            assert!((f64::from(*out) - expected).abs() < 3e-6, "{gate}, {up}: {out}, {expected}");
        }
        for level in Level::available() {
            let mut out = vec![0.0; 1003];
            gate(level, &gates, &ups, &mut out);
            assert_eq!(out, reference, "{level:?}");
        }
    }
}
