//! The words that several crates share: ids, classes, states, roles and stop reasons. No I/O, no dependency of ours.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod class;
mod ids;
mod role;
mod state;
mod stop;
mod timestamp;

pub use class::TaskClass;
pub use ids::{
    AgentName, ApiKeyId, AttemptNumber, DocumentId, InvalidName, ProcessId, TaskId, TeamName, WebhookId, WorkerId,
};
pub use role::{ProcessRole, Role};
pub use state::TaskState;
pub use stop::StopReason;
pub use timestamp::Timestamp;
