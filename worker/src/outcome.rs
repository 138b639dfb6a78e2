//! What becomes of an execution that gave no answer: retry, fail, bury or release. Pure, by exhaustive matches, so that
//! a new error must be classed before it compiles.

use std::time::Duration;

use inference::ReplyError;
use store::{Failure, StoreError};
use types::StopReason;

use crate::tools::{ToolError, reason};

/// Why an execution ended without an answer, classed by what the platform does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// A definite negative end: the same task would end so again.
    Fail(Failure),
    /// It may go better another time, and not before `retry_after` where the other side asked for it.
    Retry {
        /// What went wrong.
        failure: Failure,
        /// How long the other side asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// An operator has to mend something first: the task becomes a dead letter.
    Bury(Failure),
    /// Nothing is wrong with the task: this process is stopping, or did not do its part. No failure is counted.
    Release {
        /// For the log.
        because: String,
    },
    /// Somebody cancelled the task.
    Cancelled,
    /// The lease is lost: whoever holds it now ends the task.
    Lost,
}

impl Interruption {
    /// A definite negative end.
    pub(crate) fn fail(reason: StopReason, message: impl Into<String>) -> Self {
        Interruption::Fail(Failure::new(reason, message))
    }

    /// The task's turn comes again.
    pub(crate) fn release(because: impl Into<String>) -> Self {
        Interruption::Release { because: because.into() }
    }

    fn retry(reason: StopReason, message: impl Into<String>) -> Self {
        Interruption::Retry { failure: Failure::new(reason, message), retry_after: None }
    }
}

impl From<ReplyError> for Interruption {
    fn from(error: ReplyError) -> Self {
        let message = error.to_string();
        match error {
            ReplyError::TooLong { .. } => Interruption::fail(StopReason::ContextOverflow, message),
            ReplyError::LengthLimit { .. } => Interruption::fail(
                StopReason::OutputLimit,
                format!("{message} (guardrails.max_output_tokens of the agent sets the limit)"),
            ),
            ReplyError::BadSchema(_) | ReplyError::BadRequest(_) => {
                Interruption::Bury(Failure::new(StopReason::ModelError, message))
            }
            ReplyError::Failed(_) => Interruption::retry(StopReason::ModelError, message),
            // The task's own deadline is watched by the worker; this one is `inference.request_timeout`.
            ReplyError::Deadline { .. } => Interruption::retry(StopReason::ModelError, message),
            ReplyError::Overloaded { .. } | ReplyError::Unavailable(_) | ReplyError::Stopped => {
                Interruption::release(message)
            }
        }
    }
}

impl From<ToolError> for Interruption {
    fn from(error: ToolError) -> Self {
        let message = error.to_string();
        match error {
            ToolError::Unusable { .. } => Interruption::fail(StopReason::UnusableInput, message),
            ToolError::Retryable { retry_after, .. } => {
                Interruption::Retry { failure: Failure::new(StopReason::ToolError, message), retry_after }
            }
            ToolError::Denied { .. } => Interruption::fail(StopReason::GuardrailDenied, message),
            ToolError::TooLarge { .. } => Interruption::fail(StopReason::ToolError, message),
            ToolError::Misconfigured { .. } => Interruption::Bury(Failure::new(StopReason::ToolError, message)),
            ToolError::Store { .. } => Interruption::release(message),
            ToolError::Deadline { .. } => Interruption::fail(StopReason::Timeout, message),
        }
    }
}

/// A step could not be written. What is wrong with the store as a whole is never the task's fault.
impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost { .. } => Interruption::Lost,
            StoreError::Closed
            | StoreError::DiskFull { .. }
            | StoreError::Busy { .. }
            | StoreError::Disk { .. }
            | StoreError::Unavailable { .. }
            | StoreError::InUse { .. }
            | StoreError::NotWritable { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::NotADatabase { .. }
            | StoreError::Damaged { .. } => Interruption::release(error.to_string()),
            // It may be what this task writes that the database refuses, and will refuse again.
            StoreError::Database { .. } => Interruption::retry(StopReason::Internal, reason(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(interruption: Interruption, expected: &str) {
        let class = match interruption {
            Interruption::Fail(failure) => format!("fail {}", failure.reason),
            Interruption::Retry { failure, .. } => format!("retry {}", failure.reason),
            Interruption::Bury(failure) => format!("bury {}", failure.reason),
            Interruption::Release { .. } => "release".to_owned(),
            Interruption::Cancelled => "cancelled".to_owned(),
            Interruption::Lost => "lost".to_owned(),
        };
        assert_eq!(class, expected);
    }

    #[test]
    fn the_tasks_own_fault_is_never_retried() {
        check(ReplyError::TooLong { tokens: 3000, max: 2047 }.into(), "fail context_overflow");
        let unusable = ToolError::Unusable { tool: "t".into(), code: "encrypted".into(), detail: "d".into() };
        check(unusable.into(), "fail unusable_input");
    }

    #[test]
    fn a_passing_fault_is_retried_and_the_wait_asked_for_is_kept() {
        check(ReplyError::Failed("a step failed".into()).into(), "retry model_error");
        let wait = Some(Duration::from_secs(7));
        let busy =
            ToolError::Retryable { tool: "t".into(), endpoint: "e".into(), detail: "429".into(), retry_after: wait };
        let Interruption::Retry { retry_after, .. } = busy.into() else { panic!("a busy tool is retried") };
        assert_eq!(retry_after, wait);
    }

    #[test]
    fn what_an_operator_must_mend_becomes_a_dead_letter() {
        let wrong = ToolError::Misconfigured { tool: "t".into(), endpoint: "e".into(), detail: "404".into() };
        check(wrong.into(), "bury tool_error");
    }

    #[test]
    fn what_this_process_did_not_do_costs_the_task_nothing() {
        check(ReplyError::Overloaded { waiting: 9 }.into(), "release");
        check(ReplyError::Unavailable("429".into()).into(), "release");
        check(ToolError::Store { tool: "t".into(), detail: "d".into() }.into(), "release");
        let (path, reason) = (std::path::PathBuf::new, String::new);
        for fault in [
            StoreError::DiskFull { path: path() },
            StoreError::Busy { path: path() },
            StoreError::Disk { path: path(), reason: reason() },
            StoreError::NotWritable { path: path(), reason: reason() },
            StoreError::Damaged { path: path(), reason: reason() },
        ] {
            check(fault.into(), "release");
        }
    }

    #[test]
    fn what_the_database_refuses_of_one_task_is_not_tried_for_ever() {
        let refused = StoreError::Database { doing: "write", source: sqlx::Error::Protocol("too long".to_owned()) };
        check(refused.into(), "retry internal");
    }

    #[test]
    fn a_lost_lease_is_somebody_elses_to_end() {
        let (task, attempt) = (types::TaskId::new(), types::AttemptNumber(1));
        check(StoreError::LeaseLost { task, attempt }.into(), "lost");
    }

    #[test]
    fn a_stopping_process_gives_the_task_back() {
        check(ReplyError::Stopped.into(), "release");
        check(StoreError::Closed.into(), "release");
    }
}
