//! AVX2, with and without VPDPBUSD: as with AVX-512, by vectors of a quarter of a tile's rows.
//!
//! All functions are inlined into those that enable one or the other level; `VNNI` says which it is.

#![allow(unsafe_code)]
// Indices choose registers, in several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use gguf::Format;

use super::activations::{Block32, Block256, Kind};
use super::kernels::{Kernel, Pass, prefetch};
use super::layout::{HALF_ROWS, Integers, PART, Q4_0, Q4K, Q5K, Q6K, Q8_0, Scales, TILE_ROWS};

/// Rows of a vector.
const LANES: usize = 8;
/// Vectors of a tile.
const QUARTERS: usize = TILE_ROWS / LANES;
/// Activation rows whose sums stay in registers.
const ROWS: usize = 3;

macro_rules! kernels {
    ($name:ident, $level:ident) => {
        /// The kernel of a format, for any number of rows; the processor must have the level.
        pub(super) fn $name(format: Format) -> Kernel {
            match format {
                Format::F32 => $level::<f32>,
                Format::F16 => $level::<half::f16>,
                Format::BF16 => $level::<half::bf16>,
                Format::Q4_0 => $level::<Q4_0>,
                Format::Q8_0 => $level::<Q8_0>,
                Format::Q4K => $level::<Q4K>,
                Format::Q5K => $level::<Q5K>,
                Format::Q6K => $level::<Q6K>,
            }
        }
    };
}
kernels!(kernel, avx2);
kernels!(kernel_with_vnni, avx_vnni);

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2<W: Weights>(pass: &mut Pass) {
    // SAFETY: as the caller's.
    unsafe { split::<W, false>(pass) };
}

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn avx_vnni<W: Weights>(pass: &mut Pass) {
    // SAFETY: as the caller's.
    unsafe { split::<W, true>(pass) };
}

/// Passes with [`ROWS`] rows at most.
#[inline(always)]
unsafe fn split<W: Weights, const VNNI: bool>(pass: &mut Pass) {
    let row_bytes = pass.activations.len() / pass.sums.len();
    let blocks = pass.activations.chunks(ROWS * row_bytes);
    for (index, (sums, activations)) in pass.sums.chunks_mut(ROWS).zip(blocks).enumerate() {
        let ahead = if index == 0 { pass.ahead } else { (pass.ahead.0, 0) };
        let pass = &mut Pass { weights: pass.weights, activations, columns: pass.columns, sums, ahead };
        // SAFETY: each is a part of the caller's.
        unsafe {
            match pass.sums.len() {
                1 => W::run::<1, VNNI>(pass),
                2 => W::run::<2, VNNI>(pass),
                _ => W::run::<ROWS, VNNI>(pass),
            }
        }
    }
}

/// A format.
trait Weights {
    /// # Safety
    /// As of a [`Kernel`] for `M` rows.
    unsafe fn run<const M: usize, const VNNI: bool>(pass: &mut Pass);
}

macro_rules! weights {
    ($kernel:ident: $($type:ty)*) => { $(
        impl Weights for $type {
            #[inline(always)]
            unsafe fn run<const M: usize, const VNNI: bool>(pass: &mut Pass) {
                // SAFETY: as the caller's.
                unsafe { $kernel::<$type, M, VNNI>(pass) };
            }
        }
    )* };
}
weights!(floats: f32 half::f16 half::bf16);
weights!(parts: Q4_0 Q8_0);
weights!(groups: Q4K Q5K Q6K);

/// Formats with a scale per part.
#[inline(always)]
unsafe fn parts<I: Integers, const M: usize, const VNNI: bool>(pass: &mut Pass) {
    let shape = I::SHAPE;
    let parts = pass.columns / PART;
    let weights = pass.weights[..parts * shape.part_bytes()].as_ptr();
    let rows = pass.activations[..M * parts * size_of::<Block32>()].as_ptr().cast::<Block32>();
    for part in 0..parts {
        prefetch(pass.ahead, part, parts);
        for quarter in 0..QUARTERS {
            // SAFETY: all that is read lies in the slices, whose lengths are checked above.
            unsafe {
                let mut dots = [_mm256_setzero_si256(); M];
                let mut quants = [std::ptr::null(); M];
                for m in 0..M {
                    let row = &*rows.add(m * parts + part);
                    quants[m] = row.quants.as_ptr();
                    if has_offset::<I, VNNI>() {
                        dots[m] = _mm256_set1_epi32(row.offsets[usize::from(shape.bits == 8)]);
                    }
                }
                dot::<I, M, VNNI, 0, 8>(
                    quarter_of(weights.add(part * shape.part_bytes()), shape.half_bytes(), quarter),
                    quants,
                    &mut dots,
                );
                let scale = halves(weights.add(shape.part_scale(part, LANES * quarter)));
                for m in 0..M {
                    let sum = pass.sums[m].0.as_mut_ptr().add(LANES * quarter);
                    let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(dots[m]), scale);
                    let row = _mm256_set1_ps((*rows.add(m * parts + part)).scale);
                    _mm256_store_ps(sum, _mm256_fmadd_ps(scaled, row, _mm256_load_ps(sum)));
                }
            }
        }
    }
}

/// Formats with scales for the group and in it.
#[inline(always)]
unsafe fn groups<I: Integers, const M: usize, const VNNI: bool>(pass: &mut Pass) {
    let shape = I::SHAPE;
    let weights = pass.weights[..shape.tail() + shape.tail_bytes()].as_ptr();
    let rows = pass.activations[..M * size_of::<Block256>()].as_ptr().cast::<Block256>();
    for quarter in 0..QUARTERS {
        let row_of_tile = LANES * quarter;
        // SAFETY: all that is read lies in the slices, whose lengths are checked above.
        unsafe {
            let mut products = [_mm256_setzero_ps(); M];
            for part in 0..8 {
                prefetch(pass.ahead, 8 * quarter + part, 8 * QUARTERS);
                let part_weights = quarter_of(weights.add(part * shape.part_bytes()), shape.half_bytes(), quarter);
                let mut quants = [std::ptr::null(); M];
                for m in 0..M {
                    quants[m] = (*rows.add(m)).quants.as_ptr().add(PART * part);
                }
                let mut dots = [_mm256_setzero_si256(); M];
                if let Scales::Sixteens = shape.scales {
                    for m in 0..M {
                        dots[m] = _mm256_set1_epi32((*rows.add(m)).offsets[2 * part]);
                    }
                    dot::<I, M, VNNI, 0, 4>(part_weights, quants, &mut dots);
                    let scales = _mm_loadl_epi64(weights.add(shape.scale(2 * part, row_of_tile)).cast());
                    add(&mut products, &dots, _mm256_cvtepi8_epi32(scales));
                    for m in 0..M {
                        dots[m] = _mm256_set1_epi32((*rows.add(m)).offsets[2 * part + 1]);
                    }
                    dot::<I, M, VNNI, 4, 8>(part_weights, quants, &mut dots);
                    let scales = _mm_loadl_epi64(weights.add(shape.scale(2 * part + 1, row_of_tile)).cast());
                    add(&mut products, &dots, _mm256_cvtepi8_epi32(scales));
                } else {
                    dot::<I, M, VNNI, 0, 8>(part_weights, quants, &mut dots);
                    let scales = _mm_loadl_epi64(weights.add(shape.scale(part, row_of_tile)).cast());
                    add(&mut products, &dots, _mm256_cvtepu8_epi32(scales));
                }
            }
            let scale = halves(weights.add(shape.group_scale(row_of_tile)));
            for m in 0..M {
                let row = &*rows.add(m);
                let product = if let Scales::Minima = shape.scales {
                    let mut minima = _mm256_setzero_si256();
                    for pair in 0..4 {
                        let pairs = _mm_loadu_si128(weights.add(shape.minimum(2 * pair, row_of_tile)).cast());
                        let sums = _mm256_set1_epi32(row.sums.as_ptr().cast::<i32>().add(pair).read_unaligned());
                        minima = _mm256_add_epi32(minima, _mm256_madd_epi16(_mm256_cvtepu8_epi16(pairs), sums));
                    }
                    let minimum = halves(weights.add(shape.group_minimum(row_of_tile)));
                    let minimum = _mm256_mul_ps(minimum, _mm256_cvtepi32_ps(minima));
                    _mm256_fmsub_ps(scale, products[m], minimum)
                } else {
                    _mm256_mul_ps(scale, products[m])
                };
                let sum = pass.sums[m].0.as_mut_ptr().add(row_of_tile);
                _mm256_store_ps(sum, _mm256_fmadd_ps(product, _mm256_set1_ps(row.scale), _mm256_load_ps(sum)));
            }
        }
    }
}

/// Where a quarter's part of the first of half a part's vectors is.
#[inline(always)]
unsafe fn quarter_of(part: *const u8, half_bytes: usize, quarter: usize) -> *const u8 {
    // SAFETY: a part has two halves, and a vector of them two quarters.
    unsafe { part.add(quarter / 2 * half_bytes + quarter % 2 * 32) }
}

/// Whether products are of weights with their offset: without VPDPBUSD, those of 8 bits would be too large.
const fn has_offset<I: Integers, const VNNI: bool>() -> bool {
    VNNI || I::SHAPE.bits < 8
}

/// Adds the products of a part's vectors `FROM` to `TO` to the dots of each row.
#[inline(always)]
unsafe fn dot<I: Integers, const M: usize, const VNNI: bool, const FROM: usize, const TO: usize>(
    weights: *const u8,
    quants: [*const i8; M],
    dots: &mut [__m256i; M],
) {
    // Products that 16 bits can add up: of two columns each, at most 254 times the largest weight.
    let group = match I::SHAPE.bits {
        4 => 8,
        5 => 4,
        6 => 2,
        _ => 1,
    };
    // SAFETY: a part's weights are vectors of 64 bytes; its activations are 32.
    unsafe {
        let mut pairs = [_mm256_setzero_si256(); M];
        for j in FROM..TO {
            let vector = vector::<I>(weights, j);
            for m in 0..M {
                let quants = _mm256_set1_epi32(quants[m].cast::<i32>().add(j).read_unaligned());
                if VNNI {
                    dots[m] = _mm256_dpbusd_avx_epi32(dots[m], vector, quants);
                    continue;
                }
                let products = if has_offset::<I, VNNI>() {
                    _mm256_maddubs_epi16(vector, quants)
                } else {
                    let signed = _mm256_xor_si256(vector, _mm256_set1_epi8(-128));
                    _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(quants, signed))
                };
                pairs[m] =
                    if j.is_multiple_of(group) || j == FROM { products } else { _mm256_add_epi16(pairs[m], products) };
                if (j + 1).is_multiple_of(group) || j + 1 == TO {
                    dots[m] = _mm256_add_epi32(dots[m], _mm256_madd_epi16(pairs[m], _mm256_set1_epi16(1)));
                }
            }
        }
    }
}

/// Vector `j` of a quarter's part: columns `4 * j` and up.
#[inline(always)]
unsafe fn vector<I: Integers>(weights: *const u8, j: usize) -> __m256i {
    // SAFETY: the caller's part has as many vectors as the bits of a weight; shifting needs AVX2, as all here.
    unsafe {
        if I::SHAPE.bits == 8 {
            return _mm256_loadu_si256(weights.add(64 * j).cast());
        }
        let packed = _mm256_loadu_si256(weights.add(64 * (j / 2)).cast());
        let lowest = if j.is_multiple_of(2) { packed } else { _mm256_srli_epi16::<4>(packed) };
        let low = _mm256_and_si256(lowest, _mm256_set1_epi8(15));
        let (bits, place, mask) = match I::SHAPE.bits {
            5 => (4, j, 0x10),
            6 => (4 + j / 4, 2 * (j % 4), 0x30),
            _ => return low,
        };
        let bits = _mm256_loadu_si256(weights.add(64 * bits).cast());
        // From their place to the fifth.
        let bits = match place {
            0 => _mm256_slli_epi16::<4>(bits),
            1 => _mm256_slli_epi16::<3>(bits),
            2 => _mm256_slli_epi16::<2>(bits),
            3 => _mm256_slli_epi16::<1>(bits),
            4 => bits,
            5 => _mm256_srli_epi16::<1>(bits),
            6 => _mm256_srli_epi16::<2>(bits),
            _ => _mm256_srli_epi16::<3>(bits),
        };
        _mm256_or_si256(low, _mm256_and_si256(bits, _mm256_set1_epi8(mask)))
    }
}

/// Adds dots times scales to the products.
#[inline(always)]
unsafe fn add<const M: usize>(products: &mut [__m256; M], dots: &[__m256i; M], scales: __m256i) {
    // SAFETY: the processor has AVX2, as all here.
    unsafe {
        for m in 0..M {
            products[m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[m]), _mm256_cvtepi32_ps(scales), products[m]);
        }
    }
}

/// 8 f16.
#[inline(always)]
unsafe fn halves(bytes: *const u8) -> __m256 {
    // SAFETY: the caller has 16 bytes there.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(bytes.cast())) }
}

/// A float format: 8 weights.
trait Floats {
    const BYTES: usize;
    /// # Safety
    /// The weights are there.
    unsafe fn load(weights: *const u8) -> __m256;
}

impl Floats for f32 {
    const BYTES: usize = 4;
    #[inline(always)]
    unsafe fn load(weights: *const u8) -> __m256 {
        // SAFETY: as the caller's.
        unsafe { _mm256_loadu_ps(weights.cast()) }
    }
}

impl Floats for half::f16 {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load(weights: *const u8) -> __m256 {
        // SAFETY: as the caller's.
        unsafe { halves(weights) }
    }
}

impl Floats for half::bf16 {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load(weights: *const u8) -> __m256 {
        // SAFETY: as the caller's.
        let bits = unsafe { _mm256_cvtepu16_epi32(_mm_loadu_si128(weights.cast())) };
        // SAFETY: the processor has AVX2, as all here.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits)) }
    }
}

#[inline(always)]
unsafe fn floats<F: Floats, const M: usize, const VNNI: bool>(pass: &mut Pass) {
    let columns = pass.columns;
    let weights = pass.weights[..columns * TILE_ROWS * F::BYTES].as_ptr();
    let rows = pass.activations[..M * Kind::Floats.bytes(columns)].as_ptr().cast::<f32>();
    for half in 0..2 {
        // SAFETY: all that is read lies in the slices, whose lengths are checked above.
        unsafe {
            let mut sums = [[_mm256_setzero_ps(); 2]; M];
            for m in 0..M {
                for quarter in 0..2 {
                    let at = half * HALF_ROWS + quarter * LANES;
                    sums[m][quarter] = _mm256_load_ps(pass.sums[m].0.as_ptr().add(at));
                }
            }
            for column in 0..columns {
                prefetch(pass.ahead, half * columns + column, 2 * columns);
                let weights = weights.add((column * TILE_ROWS + half * HALF_ROWS) * F::BYTES);
                let weights = [F::load(weights), F::load(weights.add(LANES * F::BYTES))];
                for m in 0..M {
                    let value = _mm256_set1_ps(rows.add(m * columns + column).read_unaligned());
                    for quarter in 0..2 {
                        sums[m][quarter] = _mm256_fmadd_ps(weights[quarter], value, sums[m][quarter]);
                    }
                }
            }
            for m in 0..M {
                for quarter in 0..2 {
                    let at = half * HALF_ROWS + quarter * LANES;
                    _mm256_store_ps(pass.sums[m].0.as_mut_ptr().add(at), sums[m][quarter]);
                }
            }
        }
    }
}
