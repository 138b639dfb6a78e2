//! Where a task stands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::InvalidName;

/// `queued → running → succeeded · failed · cancelled · dead`, with `scheduled` and `awaiting_approval` beside.
/// A task reaches exactly one terminal state, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for a worker.
    Queued,
    /// Waits for its time: a delay asked for, or a retry.
    Scheduled,
    /// A worker holds its lease.
    Running,
    /// Waits for a person's decision; holds no worker.
    AwaitingApproval,
    /// Ended with a result.
    Succeeded,
    /// Ended without one, for good: a limit, a guardrail, the deadline, unusable input.
    Failed,
    /// Ended by whoever may cancel it.
    Cancelled,
    /// Could not be finished (retries spent, poison): a dead letter that waits for an operator.
    Dead,
}

impl TaskState {
    /// Every state, in the order of a task's life.
    pub const ALL: [TaskState; 8] = [
        TaskState::Queued,
        TaskState::Scheduled,
        TaskState::Running,
        TaskState::AwaitingApproval,
        TaskState::Succeeded,
        TaskState::Failed,
        TaskState::Cancelled,
        TaskState::Dead,
    ];

    /// Whether nothing more can happen to the task.
    pub fn is_terminal(self) -> bool {
        match self {
            TaskState::Queued | TaskState::Scheduled | TaskState::Running | TaskState::AwaitingApproval => false,
            TaskState::Succeeded | TaskState::Failed | TaskState::Cancelled | TaskState::Dead => true,
        }
    }

    /// The name in JSON, in the store, in metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskState::Queued => "queued",
            TaskState::Scheduled => "scheduled",
            TaskState::Running => "running",
            TaskState::AwaitingApproval => "awaiting_approval",
            TaskState::Succeeded => "succeeded",
            TaskState::Failed => "failed",
            TaskState::Cancelled => "cancelled",
            TaskState::Dead => "dead",
        }
    }
}

impl std::fmt::Display for TaskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for TaskState {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TaskState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| InvalidName {
            what: "state",
            given: text.to_owned(),
            rule: "one of queued, scheduled, running, awaiting_approval, succeeded, failed, cancelled, dead",
        })
    }
}
