//! What lies between the matrix products: norms, rotations, gates. Rows of `f32`, the same bits at every level.

mod exp;
mod gate;
mod norm;
mod rotary;
pub(crate) mod simd;

pub(crate) use exp::exp2;
pub use gate::gate;
pub use norm::rms_norm;
pub use rotary::{Angles, Rope};
