//! The agent loop: the model proposes, the platform disposes. `step.rs` decides, `run.rs` acts.

mod call_keys;
mod conversation;
mod run;
mod step;

pub(crate) use run::{Answer, Run};
pub(crate) use step::LoopLimits;
