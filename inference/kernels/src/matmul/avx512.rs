//! AVX-512 with VPDPBUSD: a vector holds four columns of half a tile's rows, and is multiplied with four columns of an
//! activation row, repeated sixteen times.

#![allow(unsafe_code)]
// Indices choose registers, in several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use gguf::Format;

use super::activations::{Block32, Block256, Kind};
use super::kernels::{Kernel, Pass, ROWS, Sums, prefetch};
use super::layout::{Integers, PART, Q4_0, Q4K, Q5K, Q6K, Q8_0, Scales, TILE_ROWS};

/// The kernels of a format; the processor must have the level.
pub(super) fn kernels(format: Format) -> [Kernel; ROWS] {
    macro_rules! for_rows {
        ($kernel:ident, $type:ty) => { for_rows!($kernel, $type, 1 2 3 4 5 6) };
        ($kernel:ident, $type:ty, $($rows:literal)*) => { [$($kernel::<$type, $rows>),*] };
    }
    match format {
        Format::F32 => for_rows!(floats, f32),
        Format::F16 => for_rows!(floats, half::f16),
        Format::BF16 => for_rows!(floats, half::bf16),
        Format::Q4_0 => for_rows!(parts, Q4_0),
        Format::Q8_0 => for_rows!(parts, Q8_0),
        Format::Q4K => for_rows!(groups, Q4K),
        Format::Q5K => for_rows!(groups, Q5K),
        Format::Q6K => for_rows!(groups, Q6K),
    }
}

/// Both halves of a tile.
type Both = [__m512; 2];

/// Formats with a scale per part.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
unsafe fn parts<I: Integers, const M: usize>(pass: &mut Pass) {
    let shape = I::SHAPE;
    let parts = pass.columns / PART;
    let weights = pass.weights[..parts * shape.part_bytes()].as_ptr();
    let rows = pass.activations[..M * parts * size_of::<Block32>()].as_ptr().cast::<Block32>();
    // SAFETY: all that is read lies in the slices, whose lengths are checked above.
    unsafe {
        let mut sums: [Both; M] = load_sums(pass.sums);
        for part in 0..parts {
            prefetch(pass.ahead, part, parts);
            let row = |m: usize| &*rows.add(m * parts + part);
            let start: [_; M] =
                std::array::from_fn(|m| [_mm512_set1_epi32(row(m).offsets[usize::from(shape.bits == 8)]); 2]);
            let quants: [_; M] = std::array::from_fn(|m| row(m).quants.as_ptr());
            let dots = dots::<I, M, 0, 8>(weights.add(part * shape.part_bytes()), quants, start);
            let scales = weights.add(shape.part_scale(part, 0));
            let scales = [halves(scales), halves(scales.add(2 * TILE_ROWS / 2))];
            for m in 0..M {
                let scale = _mm512_set1_ps(row(m).scale);
                for half in 0..2 {
                    let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(dots[m][half]), scales[half]);
                    sums[m][half] = _mm512_fmadd_ps(scaled, scale, sums[m][half]);
                }
            }
        }
        store_sums(pass.sums, sums);
    }
}

/// Formats with scales for the group and in it.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
unsafe fn groups<I: Integers, const M: usize>(pass: &mut Pass) {
    let shape = I::SHAPE;
    let weights = pass.weights[..shape.tail() + shape.tail_bytes()].as_ptr();
    let rows = pass.activations[..M * size_of::<Block256>()].as_ptr().cast::<Block256>();
    // SAFETY: all that is read lies in the slices, whose lengths are checked above.
    unsafe {
        let row = |m: usize| &*rows.add(m);
        let sums: &mut [Sums; M] = pass.sums.as_mut_array().expect("as many sums as rows");
        let mut products = [[_mm512_setzero_ps(); 2]; M];
        for part in 0..8 {
            prefetch(pass.ahead, part, 8);
            let quants: [_; M] = std::array::from_fn(|m| row(m).quants.as_ptr().add(PART * part));
            let weights_of_part = weights.add(part * shape.part_bytes());
            if let Scales::Sixteens = shape.scales {
                let offsets =
                    |half: usize| std::array::from_fn(|m| [_mm512_set1_epi32(row(m).offsets[2 * part + half]); 2]);
                let first = dots::<I, M, 0, 4>(weights_of_part, quants, offsets(0));
                add(&mut products, first, signed(weights.add(shape.scale(2 * part, 0))));
                let second = dots::<I, M, 4, 8>(weights_of_part, quants, offsets(1));
                add(&mut products, second, signed(weights.add(shape.scale(2 * part + 1, 0))));
            } else {
                let dots = dots::<I, M, 0, 8>(weights_of_part, quants, [[_mm512_setzero_si512(); 2]; M]);
                add(&mut products, dots, unsigned(weights.add(shape.scale(part, 0))));
            }
        }
        for half in 0..2 {
            let scale = halves(weights.add(shape.group_scale(half * 16)));
            let mut minima = [_mm512_setzero_si512(); M];
            if let Scales::Minima = shape.scales {
                for pair in 0..4 {
                    let pairs = weights.add(shape.minimum(2 * pair, 16 * half)).cast();
                    let pairs = _mm512_cvtepu8_epi16(_mm256_loadu_si256(pairs));
                    for m in 0..M {
                        let sums = row(m).sums.as_ptr().cast::<i32>().add(pair).read_unaligned();
                        minima[m] = _mm512_dpwssd_epi32(minima[m], pairs, _mm512_set1_epi32(sums));
                    }
                }
            }
            for m in 0..M {
                let product = if let Scales::Minima = shape.scales {
                    let minimum = halves(weights.add(shape.group_minimum(half * 16)));
                    let minimum = _mm512_mul_ps(minimum, _mm512_cvtepi32_ps(minima[m]));
                    _mm512_fmsub_ps(scale, products[m][half], minimum)
                } else {
                    _mm512_mul_ps(scale, products[m][half])
                };
                let sum = sums[m].0.as_mut_ptr().add(16 * half);
                _mm512_store_ps(sum, _mm512_fmadd_ps(product, _mm512_set1_ps(row(m).scale), _mm512_load_ps(sum)));
            }
        }
    }
}

/// Adds the products of a part's vectors `FROM` to `TO` to the dots: of each row and half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
unsafe fn dots<I: Integers, const M: usize, const FROM: usize, const TO: usize>(
    weights: *const u8,
    quants: [*const i8; M],
    mut dots: [[__m512i; 2]; M],
) -> [[__m512i; 2]; M] {
    macro_rules! step {
        ($v:literal) => {
            if FROM <= 2 * $v && 2 * $v < TO {
                // SAFETY: a part's weights are two halves of vectors; its activations are 32.
                unsafe {
                    let first = pair::<I, $v>(weights);
                    let second = pair::<I, $v>(weights.add(I::SHAPE.half_bytes()));
                    for j in 0..2 {
                        for m in 0..M {
                            let quants = quants[m].cast::<i32>().add(2 * $v + j).read_unaligned();
                            let quants = _mm512_set1_epi32(quants);
                            dots[m][0] = _mm512_dpbusd_epi32(dots[m][0], first[j], quants);
                            dots[m][1] = _mm512_dpbusd_epi32(dots[m][1], second[j], quants);
                        }
                    }
                }
            }
        };
    }
    step!(0);
    step!(1);
    step!(2);
    step!(3);
    dots
}

/// Vectors `2 * V` and `2 * V + 1` of half a part.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn pair<I: Integers, const V: usize>(half: *const u8) -> [__m512i; 2] {
    // SAFETY: the caller's half has as many vectors as the bits of a weight.
    let load = |index: usize| unsafe { _mm512_loadu_si512(half.add(64 * index).cast()) };
    if I::SHAPE.bits == 8 {
        return [load(2 * V), load(2 * V + 1)];
    }
    let packed = load(V);
    let low = _mm512_set1_epi8(15);
    let pair = [_mm512_and_si512(packed, low), _mm512_and_si512(_mm512_srli_epi16::<4>(packed), low)];
    match I::SHAPE.bits {
        5 => {
            let bits = load(4);
            let bits = match V {
                0 => [_mm512_slli_epi16::<4>(bits), _mm512_slli_epi16::<3>(bits)],
                1 => [_mm512_slli_epi16::<2>(bits), _mm512_slli_epi16::<1>(bits)],
                2 => [bits, _mm512_srli_epi16::<1>(bits)],
                _ => [_mm512_srli_epi16::<2>(bits), _mm512_srli_epi16::<3>(bits)],
            };
            [over(pair[0], bits[0], 0x10), over(pair[1], bits[1], 0x10)]
        }
        6 => {
            let bits = load(4 + V / 2);
            let bits = match V % 2 {
                0 => [_mm512_slli_epi16::<4>(bits), _mm512_slli_epi16::<2>(bits)],
                _ => [bits, _mm512_srli_epi16::<2>(bits)],
            };
            [over(pair[0], bits[0], 0x30), over(pair[1], bits[1], 0x30)]
        }
        _ => pair,
    }
}

/// `low | bits & mask`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn over(low: __m512i, bits: __m512i, mask: i8) -> __m512i {
    _mm512_ternarylogic_epi32::<0xf8>(low, bits, _mm512_set1_epi8(mask))
}

/// Adds dots times scales to the products.
#[inline]
#[target_feature(enable = "avx512f")]
fn add<const M: usize>(products: &mut [Both; M], dots: [[__m512i; 2]; M], scales: Both) {
    for m in 0..M {
        for half in 0..2 {
            products[m][half] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[m][half]), scales[half], products[m][half]);
        }
    }
}

/// 32 u8.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn unsigned(bytes: *const u8) -> Both {
    // SAFETY: the caller has 32 bytes there.
    let [first, second] = unsafe { [_mm_loadu_si128(bytes.cast()), _mm_loadu_si128(bytes.add(16).cast())] };
    [_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(first)), _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(second))]
}

/// 32 i8.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn signed(bytes: *const u8) -> Both {
    // SAFETY: the caller has 32 bytes there.
    let [first, second] = unsafe { [_mm_loadu_si128(bytes.cast()), _mm_loadu_si128(bytes.add(16).cast())] };
    [_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(first)), _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(second))]
}

/// 16 f16.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn halves(bytes: *const u8) -> __m512 {
    // SAFETY: the caller has 32 bytes there.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(bytes.cast()) })
}

/// A float format: both halves of a column.
trait Floats {
    const BYTES: usize;
    /// # Safety
    /// A column's weights are there, and the processor has the level.
    unsafe fn load(weights: *const u8) -> Both;
}

macro_rules! floats {
    ($type:ty, |$at:ident| $load:expr) => {
        impl Floats for $type {
            const BYTES: usize = size_of::<$type>();

            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
            unsafe fn load(weights: *const u8) -> Both {
                let load = |$at: *const u8| $load;
                // SAFETY: the second half lies behind the first.
                [load(weights), load(unsafe { weights.add(TILE_ROWS / 2 * Self::BYTES) })]
            }
        }
    };
}
// SAFETY (of all three): the caller of `load` has the bytes.
floats!(f32, |at| unsafe { _mm512_loadu_ps(at.cast()) });
floats!(half::f16, |at| unsafe { halves(at) });
floats!(half::bf16, |at| {
    let bits = _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(at.cast()) });
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
});

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
unsafe fn floats<F: Floats, const M: usize>(pass: &mut Pass) {
    let columns = pass.columns;
    let weights = pass.weights[..columns * TILE_ROWS * F::BYTES].as_ptr();
    let rows = pass.activations[..M * Kind::Floats.bytes(columns)].as_ptr().cast::<f32>();
    // SAFETY: all that is read lies in the slices, whose lengths are checked above.
    unsafe {
        let mut sums: [Both; M] = load_sums(pass.sums);
        for first in (0..columns).step_by(8) {
            prefetch(pass.ahead, first / 8, columns.div_ceil(8));
            for column in first..columns.min(first + 8) {
                let weights = F::load(weights.add(column * TILE_ROWS * F::BYTES));
                for m in 0..M {
                    let value = _mm512_set1_ps(rows.add(m * columns + column).read_unaligned());
                    for half in 0..2 {
                        sums[m][half] = _mm512_fmadd_ps(weights[half], value, sums[m][half]);
                    }
                }
            }
        }
        store_sums(pass.sums, sums);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_sums<const M: usize>(sums: &[Sums]) -> [Both; M] {
    std::array::from_fn(|m| {
        let sums = sums[m].0.as_ptr();
        // SAFETY: two vectors are as long as the sums, and these are aligned to them.
        unsafe { [_mm512_load_ps(sums), _mm512_load_ps(sums.add(16))] }
    })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_sums<const M: usize>(sums: &mut [Sums], values: [Both; M]) {
    for (sums, values) in sums.iter_mut().zip(values) {
        let sums = sums.0.as_mut_ptr();
        // SAFETY: as above.
        unsafe {
            _mm512_store_ps(sums, values[0]);
            _mm512_store_ps(sums.add(16), values[1]);
        }
    }
}
