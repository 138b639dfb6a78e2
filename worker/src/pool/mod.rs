//! The pool of warm workers: `autoscaler.rs` decides how many, `manager.rs` makes it so, `slot.rs` is one place in it.

mod autoscaler;
mod manager;
mod occupancy;
mod slot;

pub use autoscaler::PoolLimits;
pub use manager::PoolManager;
pub use occupancy::Occupancy;
pub(crate) use slot::{SlotState, SlotStatus};
