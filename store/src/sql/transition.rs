//! How a task goes from one state to the next.

use serde_json::Value;
use types::{StopReason, TaskId, TaskState, Timestamp};

use super::query::Argument;
use crate::outcome::Failure;
use crate::step::EventKind;

/// Where a task goes, and what its row keeps of that. `None` keeps what the row has, except that a task which ends has
/// the reason, error and output given here.
pub(crate) struct Transition<'a> {
    pub(crate) state: TaskState,
    pub(crate) queued_at: Option<Timestamp>,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) failures: Option<u32>,
    pub(crate) losses: Option<u32>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) reason: Option<StopReason>,
    pub(crate) output: Option<&'a Value>,
    pub(crate) error: Option<&'a str>,
}

impl<'a> Transition<'a> {
    fn to(state: TaskState) -> Self {
        Transition {
            state,
            queued_at: None,
            due_at: None,
            failures: None,
            losses: None,
            finished_at: None,
            reason: None,
            output: None,
            error: None,
        }
    }

    /// Ready for a worker.
    pub(crate) fn queued(now: Timestamp) -> Self {
        Transition { queued_at: Some(now), ..Transition::to(TaskState::Queued) }
    }

    /// Ready at another time, after a failure.
    pub(crate) fn scheduled(due_at: Timestamp, failures: u32, error: &'a str) -> Self {
        Transition {
            due_at: Some(due_at),
            failures: Some(failures),
            error: Some(error),
            ..Transition::to(TaskState::Scheduled)
        }
    }

    /// In the order of the columns that the statement is given.
    pub(crate) fn into_row(self, task: TaskId) -> [Argument; 10] {
        [
            task.into(),
            self.state.into(),
            self.queued_at.into(),
            self.due_at.into(),
            self.failures.into(),
            self.losses.into(),
            self.finished_at.into(),
            self.reason.into(),
            self.output.map(Value::to_string).into(),
            self.error.into(),
        ]
    }
}

/// How a task ends.
pub(crate) struct End<'a> {
    pub(crate) state: TaskState,
    pub(crate) kind: EventKind,
    pub(crate) reason: StopReason,
    pub(crate) error: Option<&'a str>,
    pub(crate) output: Option<&'a Value>,
    /// Failures and losses, where they have grown.
    pub(crate) failures: Option<u32>,
    pub(crate) losses: Option<u32>,
}

impl<'a> End<'a> {
    pub(crate) fn succeeded(output: &'a Value) -> Self {
        End { output: Some(output), ..End::to(TaskState::Succeeded, EventKind::Succeeded, StopReason::Completed) }
    }

    pub(crate) fn failed(failure: &'a Failure) -> Self {
        End { error: Some(&failure.message), ..End::to(TaskState::Failed, EventKind::Failed, failure.reason) }
    }

    pub(crate) fn dead(failure: &'a Failure) -> Self {
        End { error: Some(&failure.message), ..End::to(TaskState::Dead, EventKind::Dead, failure.reason) }
    }

    pub(crate) fn cancelled() -> Self {
        End::to(TaskState::Cancelled, EventKind::Cancelled, StopReason::Cancelled)
    }

    fn to(state: TaskState, kind: EventKind, reason: StopReason) -> Self {
        End { state, kind, reason, error: None, output: None, failures: None, losses: None }
    }

    pub(crate) fn at(self, now: Timestamp) -> Transition<'a> {
        Transition {
            finished_at: Some(now),
            failures: self.failures,
            losses: self.losses,
            reason: Some(self.reason),
            output: self.output,
            error: self.error,
            ..Transition::to(self.state)
        }
    }
}
