//! How an attempt ends.

use serde::Serialize;
use serde_json::Value;
use types::{StopReason, TaskState, Timestamp};

use crate::retry::RetryPolicy;

/// The one outcome of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The answer: the task has succeeded.
    Complete {
        /// The result.
        output: Value,
    },
    /// A definite negative end: a limit, a guardrail, the deadline, unusable input.
    Fail(Failure),
    /// It may go better another time: scheduled again, or dead when its retries are spent.
    Retry {
        /// What went wrong.
        failure: Failure,
        /// When to try again.
        policy: RetryPolicy,
        /// Not before this moment, where the other side asked for it (`Retry-After`).
        not_before: Option<Timestamp>,
        /// Randomness for the policy's jitter, uniform in `0.0..1.0`.
        unit: f64,
    },
    /// It cannot be finished: dead, for an operator to look at.
    Bury(Failure),
    /// Nothing happened (a shutdown): back to its line, no failure counted.
    Release,
    /// The worker stopped because someone cancelled the task.
    Cancelled,
}

/// What went wrong, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub reason: StopReason,
    /// What, where, why and what to do.
    pub message: String,
}

impl Failure {
    /// A failure and its message.
    pub fn new(reason: StopReason, message: impl Into<String>) -> Self {
        Failure { reason, message: message.into() }
    }
}

/// Where the task stands after an attempt's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// The state.
    pub state: TaskState,
    /// When it is tried again, if it is scheduled.
    pub due_at: Option<Timestamp>,
}
