//! The kernels' common face: what one does, and which there is for a level and a format.

#![allow(unsafe_code)]

use gguf::Format;

use super::activations::{self, Kind};
use super::layout::TILE_ROWS;
use super::scalar;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::Level;

/// Activation rows that a kernel takes at most.
pub(super) const ROWS: usize = 6;

/// The outputs of a tile for one activation row, being summed up.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [f32; TILE_ROWS]);

/// Adds the products of a group of columns to the sums.
pub(super) struct Pass<'a> {
    /// The group's weights.
    pub(super) weights: &'a [u8],
    /// The group's blocks, of all rows.
    pub(super) activations: &'a [u8],
    /// Columns in the group.
    pub(super) columns: usize,
    /// Of each row.
    pub(super) sums: &'a mut [Sums],
    /// What to bring into the cache meanwhile: an address and a number of lines.
    pub(super) ahead: (*const u8, usize),
}

/// # Safety
/// The processor has the kernel's level; the weights are a group of `columns` columns in the kernel's format, the
/// activations are blocks of as many columns and as many rows as there are sums.
pub(super) type Kernel = unsafe fn(&mut Pass);

/// The kernels of a level and a format, for 1 to [`ROWS`] rows.
///
/// # Panics
/// When the processor lacks the level.
pub(super) fn kernels(level: Level, format: Format) -> [Kernel; ROWS] {
    check(level);
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni => avx512::kernels(format),
        #[cfg(target_arch = "x86_64")]
        Level::AvxVnni => [avx2::kernel_with_vnni(format); ROWS],
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => [avx2::kernel(format); ROWS],
        _ => [scalar::kernel(format); ROWS],
    }
}

/// Asks for the `index`th of `count` shares of the lines that a pass is to bring.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn prefetch((address, lines): (*const u8, usize), index: usize, count: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let share = lines.div_ceil(count);
    for line in index * share..(index + 1) * share {
        // SAFETY: asking for any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.wrapping_add(64 * line).cast()) };
    }
}

/// # Safety
/// The processor has the level.
pub(super) type Rounding = unsafe fn(Kind, &[f32], &mut [u8]);

/// `activations::round` for a level.
///
/// # Panics
/// When the processor lacks the level.
pub(super) fn rounding(level: Level) -> Rounding {
    check(level);
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni => {
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
            fn round(kind: Kind, values: &[f32], out: &mut [u8]) {
                activations::round(kind, values, out);
            }
            round
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::AvxVnni => {
            #[target_feature(enable = "avx2,fma")]
            fn round(kind: Kind, values: &[f32], out: &mut [u8]) {
                activations::round(kind, values, out);
            }
            round
        }
        _ => activations::round,
    }
}

fn check(level: Level) {
    assert!(level.is_available(), "this processor has no {}", level.name());
}
