//! What the `packed` backend computes with: plain buffers, no tensors, no model. Every function exists for several
//! [`Level`]s of the instruction set, and gives the same bits on each.

pub mod attention;
pub mod kv;
mod level;
pub mod limits;
pub mod matmul;
pub mod memory;
pub mod ops;
pub mod pool;

pub use level::{Level, UnknownLevel};
pub use pool::Pool;
