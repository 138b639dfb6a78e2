//! AVX-512 with VPDPBUSD.

#![allow(unsafe_code)]

use gguf::Format;

use super::kernels::{Kernel, ROWS};
use super::scalar;

pub(super) fn kernels(format: Format) -> [Kernel; ROWS] {
    [scalar::kernel(format); ROWS]
}
