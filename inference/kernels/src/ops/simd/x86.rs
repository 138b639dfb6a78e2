//! The levels with vector instructions.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use half::f16;

use super::{Kernel, LANES, Simd};
use crate::Level;

/// AVX2, FMA and F16C; two registers make a vector.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// AVX-512 F, BW, VL and DQ.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// Instructions of a token, which exists only behind the question whether the processor has them.
macro_rules! proven {
    ($call:expr) => {
        // SAFETY: the processor has the token's instructions; references are good for 16 values.
        unsafe { $call }
    };
}

#[inline(always)]
pub(super) fn prefetch<T>(place: &T) {
    // SAFETY: every x86-64 has it, and it reads nothing.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) };
}

impl Avx2 {
    pub(super) fn run(kernel: impl Kernel) {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn compiled(simd: Avx2, kernel: impl Kernel) {
            kernel.run(simd);
        }
        assert!(Level::Avx2.is_available());
        proven!(compiled(Avx2(()), kernel));
    }
}

impl Avx512 {
    pub(super) fn run(kernel: impl Kernel) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
        fn compiled(simd: Avx512, kernel: impl Kernel) {
            kernel.run(simd);
        }
        assert!(Level::Avx512Vnni.is_available());
        proven!(compiled(Avx512(()), kernel));
    }
}

impl Simd for Avx2 {
    type Vector = [__m256; 2];

    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [proven!(_mm256_set1_ps(value)); 2]
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Vector {
        let at = values.as_ptr();
        proven!([_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))])
    }

    #[inline(always)]
    fn load_f16(self, values: &[f16; LANES]) -> Self::Vector {
        let at = values.as_ptr().cast::<__m128i>();
        proven!([_mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at.add(1)))])
    }

    #[inline(always)]
    fn load_i8(self, values: &[i8; LANES]) -> Self::Vector {
        let at = values.as_ptr();
        proven!([
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.cast()))),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.add(8).cast()))),
        ])
    }

    #[inline(always)]
    fn store(self, [low, high]: Self::Vector, values: &mut [f32; LANES]) {
        let at = values.as_mut_ptr();
        proven!({
            _mm256_storeu_ps(at, low);
            _mm256_storeu_ps(at.add(8), high);
        });
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!([_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])])
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!([_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])])
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!([_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])])
    }

    #[inline(always)]
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!([_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        proven!([_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])])
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!([_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])])
    }

    #[inline(always)]
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!([_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])])
    }

    #[inline(always)]
    fn power_of_two(self, exponents: Self::Vector) -> Self::Vector {
        let mut powers = exponents;
        for power in &mut powers {
            *power = proven!({
                let one = _mm256_castps_si256(_mm256_set1_ps(1.0));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32::<23>(_mm256_castps_si256(*power)), one))
            });
        }
        powers
    }

    #[inline(always)]
    fn where_at_least(self, a: Self::Vector, b: Self::Vector, values: Self::Vector) -> Self::Vector {
        proven!([
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a[0], b[0]), values[0]),
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a[1], b[1]), values[1]),
        ])
    }

    #[inline(always)]
    fn swap_pairs(self, vector: Self::Vector) -> Self::Vector {
        proven!([_mm256_permute_ps::<0b10_11_00_01>(vector[0]), _mm256_permute_ps::<0b10_11_00_01>(vector[1])])
    }
}

impl Simd for Avx512 {
    type Vector = __m512;

    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        proven!(_mm512_set1_ps(value))
    }

    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::Vector {
        proven!(_mm512_loadu_ps(values.as_ptr()))
    }

    #[inline(always)]
    fn load_f16(self, values: &[f16; LANES]) -> Self::Vector {
        proven!(_mm512_cvtph_ps(_mm256_loadu_si256(values.as_ptr().cast())))
    }

    #[inline(always)]
    fn load_i8(self, values: &[i8; LANES]) -> Self::Vector {
        proven!(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(values.as_ptr().cast()))))
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, values: &mut [f32; LANES]) {
        proven!(_mm512_storeu_ps(values.as_mut_ptr(), vector));
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!(_mm512_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!(_mm512_div_ps(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        proven!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!(_mm512_max_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        proven!(_mm512_min_ps(a, b))
    }

    #[inline(always)]
    fn power_of_two(self, exponents: Self::Vector) -> Self::Vector {
        proven!({
            let one = _mm512_castps_si512(_mm512_set1_ps(1.0));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_slli_epi32::<23>(_mm512_castps_si512(exponents)), one))
        })
    }

    #[inline(always)]
    fn where_at_least(self, a: Self::Vector, b: Self::Vector, values: Self::Vector) -> Self::Vector {
        proven!(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b), values))
    }

    #[inline(always)]
    fn swap_pairs(self, vector: Self::Vector) -> Self::Vector {
        proven!(_mm512_permute_ps::<0b10_11_00_01>(vector))
    }
}
