//! What the `packed` backend computes with: plain buffers, no tensors, no model. Every function exists for several
//! [`Level`]s of the instruction set, and gives the same bits on each.

mod level;
pub mod memory;
pub mod pool;
pub mod matmul;
pub mod ops;
pub mod kv;
pub mod attention;

pub use level::{Level, UnknownLevel};
pub use pool::Pool;
