//! Sixteen `f32` at a time, the same bits on every [`Level`].
//!
//! Kernels are written once, over [`Simd`], and compiled for each level by [`dispatch`]. A value that implements `Simd`
//! is proof that the processor has the instructions, so kernels need no unsafe code. What a kernel calls is
//! `#[inline(always)]`, without closures: only then is it compiled with the level's instructions.

#[cfg(target_arch = "x86_64")]
mod x86;

use half::f16;

use crate::Level;

/// Values in a vector.
pub(crate) const LANES: usize = 16;

/// A vector in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub(crate) [f32; LANES]);

impl Lanes {
    pub(crate) const ZERO: Lanes = Lanes([0.0; LANES]);

    /// By halves.
    #[inline(always)]
    pub(crate) fn sum(mut self) -> f32 {
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                self.0[lane] += self.0[lane + width];
            }
        }
        self.0[0]
    }

    #[inline(always)]
    pub(crate) fn max(mut self) -> f32 {
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                self.0[lane] = max(self.0[lane], self.0[lane + width]);
            }
        }
        self.0[0]
    }
}

/// The instructions of a level.
pub(crate) trait Simd: Copy {
    type Vector: Copy;

    /// How many vectors the registers hold.
    const REGISTERS: usize;

    fn splat(self, value: f32) -> Self::Vector;
    fn load(self, values: &[f32; LANES]) -> Self::Vector;
    fn load_f16(self, values: &[f16; LANES]) -> Self::Vector;
    fn load_i8(self, values: &[i8; LANES]) -> Self::Vector;
    fn store(self, vector: Self::Vector, values: &mut [f32; LANES]);

    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The larger; `b` where one is not a number.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller; `b` where one is not a number.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Two to the power of the integer in the low bits of each lane.
    fn power_of_two(self, exponents: Self::Vector) -> Self::Vector;
    /// `values` where `a >= b`, zero elsewhere.
    fn where_at_least(self, a: Self::Vector, b: Self::Vector, values: Self::Vector) -> Self::Vector;
    /// Lanes `1, 0, 3, 2, …`.
    fn swap_pairs(self, vector: Self::Vector) -> Self::Vector;

    #[inline(always)]
    fn zero(self) -> Self::Vector {
        self.splat(0.0)
    }
}

/// Asks for the cache line of `place`, soon to be read.
#[inline(always)]
pub(crate) fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    x86::prefetch(place);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// What can be computed at any level.
pub(crate) trait Kernel {
    /// Always to be inlined.
    fn run<S: Simd>(self, simd: S);
}

/// Runs a kernel with a level's instructions.
///
/// # Panics
/// When the processor does not have them.
pub(crate) fn dispatch(level: Level, kernel: impl Kernel) {
    assert!(level.is_available(), "this processor has no {}", level.name());
    #[cfg(target_arch = "x86_64")]
    match level {
        Level::Scalar => kernel.run(Scalar),
        Level::Avx2 | Level::AvxVnni => x86::Avx2::run(kernel),
        Level::Avx512Vnni => x86::Avx512::run(kernel),
    }
    #[cfg(not(target_arch = "x86_64"))]
    kernel.run(Scalar);
}

/// Plain Rust.
#[derive(Clone, Copy)]
struct Scalar;

#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

impl Simd for Scalar {
    type Vector = [f32; LANES];

    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Vector {
        *values
    }

    #[inline(always)]
    fn load_f16(self, values: &[f16; LANES]) -> Self::Vector {
        values.map(f16::to_f32)
    }

    #[inline(always)]
    fn load_i8(self, values: &[i8; LANES]) -> Self::Vector {
        values.map(f32::from)
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, values: &mut [f32; LANES]) {
        *values = vector;
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| a[lane] / b[lane])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| max(a[lane], b[lane]))
    }

    #[inline(always)]
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| min(a[lane], b[lane]))
    }

    #[inline(always)]
    fn power_of_two(self, exponents: Self::Vector) -> Self::Vector {
        exponents.map(|exponent| f32::from_bits((exponent.to_bits() << 23).wrapping_add(1.0_f32.to_bits())))
    }

    #[inline(always)]
    fn where_at_least(self, a: Self::Vector, b: Self::Vector, values: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| if a[lane] >= b[lane] { values[lane] } else { 0.0 })
    }

    #[inline(always)]
    fn swap_pairs(self, vector: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| vector[lane ^ 1])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// Numbers in `-1.0..1.0`, the same in every run.
    pub(crate) fn noise(seed: u64, len: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next()).collect()
    }
}
