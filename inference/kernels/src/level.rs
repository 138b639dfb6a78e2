//! Which instructions the kernels use.

/// From the plainest to the fastest; a processor that has one has those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust: the reference.
    Scalar,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX2 with VPDPBUSD.
    AvxVnni,
    /// AVX-512 (F, BW, VL, DQ) with VPDPBUSD on 64 bytes.
    Avx512Vnni,
}
