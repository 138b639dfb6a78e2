//! Integer products of packed weights with rounded activations.
//!
//! Every number is the same whatever the [`Level`](crate::Level), the number of threads, and the other rows: integers
//! are summed exactly, floats in an order that depends on the column alone.

mod activations;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernels;
mod layout;
mod matrix;
mod product;
mod scalar;
#[cfg(test)]
mod tests;

pub use activations::{Activations, Kind};
pub use layout::TILE_ROWS;
pub use matrix::Matrix;
pub use product::{Then, multiply, multiply_gated};
