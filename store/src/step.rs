//! What happened in a task: steps for those who ask why, events for those who watch.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use types::{AttemptNumber, InvalidName, TaskId, Timestamp};

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The model was asked.
    Model,
    /// A tool was called.
    Tool,
}

impl StepKind {
    /// The name in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            StepKind::Model => "model",
            StepKind::Tool => "tool",
        }
    }
}

impl std::str::FromStr for StepKind {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [StepKind::Model, StepKind::Tool].into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| InvalidName {
            what: "step kind",
            given: text.to_owned(),
            rule: "model or tool",
        })
    }
}

/// A step as a worker reports it; the store gives it its number.
#[derive(Clone, Debug, PartialEq)]
pub struct NewStep {
    /// What it did.
    pub kind: StepKind,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Tokens read by the model.
    pub prompt_tokens: u64,
    /// Tokens written by the model.
    pub completion_tokens: u64,
    /// A JSON object for people: tool name, arguments, result's size and excerpt, error.
    pub summary: Value,
}

/// A recorded step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The execution it belongs to.
    pub attempt: AttemptNumber,
    /// Its number in the task, from 1, over all attempts.
    pub ordinal: u32,
    /// What it did.
    pub kind: StepKind,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    #[serde(rename = "duration_ms", serialize_with = "as_millis")]
    pub duration: Duration,
    /// Tokens read by the model.
    pub prompt_tokens: u64,
    /// Tokens written by the model.
    pub completion_tokens: u64,
    /// Tool name, arguments, result's size and excerpt, error.
    pub summary: Value,
}

fn as_millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What an event tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// The name in JSON, in event streams and in the store.
            pub fn as_str(self) -> &'static str {
                match self { $(EventKind::$variant => $name,)* }
            }
        }

        impl std::str::FromStr for EventKind {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(EventKind::$variant),)*
                    _ => Err(InvalidName { what: "event kind", given: text.to_owned(), rule: "a name this version knows" }),
                }
            }
        }
    };
}

event_kinds! {
    /// The task was accepted.
    Accepted = "accepted",
    /// A worker opened an attempt.
    Started = "started",
    /// A step was taken.
    Step = "step",
    /// An attempt failed and another follows.
    Retrying = "retrying",
    /// A worker gave the task back unfinished.
    Released = "released",
    /// Its worker was lost.
    WorkerLost = "worker_lost",
    /// Its time came: it waits for a worker.
    Due = "due",
    /// Someone asked to cancel it while it ran.
    CancelRequested = "cancel_requested",
    /// An operator put a dead letter back.
    Requeued = "requeued",
    /// It ended with a result.
    Succeeded = "succeeded",
    /// It ended without one.
    Failed = "failed",
    /// It was cancelled.
    Cancelled = "cancelled",
    /// It is a dead letter.
    Dead = "dead",
}

impl EventKind {
    /// Whether nothing follows, unless an operator requeues the task later.
    pub fn is_end(self) -> bool {
        match self {
            EventKind::Succeeded | EventKind::Failed | EventKind::Cancelled | EventKind::Dead => true,
            EventKind::Accepted
            | EventKind::Started
            | EventKind::Step
            | EventKind::Retrying
            | EventKind::Released
            | EventKind::WorkerLost
            | EventKind::Due
            | EventKind::CancelRequested
            | EventKind::Requeued => false,
        }
    }
}

/// Something that happened to a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Grows; a reader who gives the last one it saw misses none.
    pub seq: i64,
    /// The task.
    pub task: TaskId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// More about it: a JSON object.
    pub data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_tasks_are_the_kinds_named_like_an_ended_state() {
        let kinds = [
            "accepted",
            "started",
            "step",
            "retrying",
            "released",
            "worker_lost",
            "due",
            "cancel_requested",
            "requeued",
            "succeeded",
            "failed",
            "cancelled",
            "dead",
        ];
        for kind in kinds.map(|name| name.parse::<EventKind>().unwrap()) {
            let is_terminal = kind.as_str().parse().is_ok_and(types::TaskState::is_terminal);
            assert_eq!(kind.is_end(), is_terminal, "{kind:?}");
        }
    }
}
