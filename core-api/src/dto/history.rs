//! What happened to a task: events for who watches, steps for who asks why.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{AttemptNumber, Timestamp};
use utoipa::ToSchema;

/// Something that happened to a task, as the data of a server-sent event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its number; send the last one seen as `Last-Event-ID` to go on from there.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What, e.g. `started`, `step`, `succeeded`.
    pub kind: String,
    /// More about it.
    #[schema(value_type = Object)]
    pub data: Value,
}

impl From<store::Event> for EventView {
    fn from(event: store::Event) -> Self {
        EventView { seq: event.seq, at: event.at, kind: event.kind.as_str().to_owned(), data: event.data }
    }
}

/// A step of a task.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// The execution it belongs to.
    pub attempt: AttemptNumber,
    /// Its number in the task, from 1.
    pub ordinal: u32,
    /// `model` or `tool`.
    pub kind: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Tokens read by the model.
    pub prompt_tokens: u64,
    /// Tokens written by the model.
    pub completion_tokens: u64,
    /// Tool, arguments, excerpt of the result, error.
    #[schema(value_type = Object)]
    pub summary: Value,
}

impl From<store::Step> for StepView {
    fn from(step: store::Step) -> Self {
        StepView {
            attempt: step.attempt,
            ordinal: step.ordinal,
            kind: step.kind.as_str().to_owned(),
            started_at: step.started_at,
            duration_ms: u64::try_from(step.duration.as_millis()).unwrap_or(u64::MAX),
            prompt_tokens: step.prompt_tokens,
            completion_tokens: step.completion_tokens,
            summary: step.summary,
        }
    }
}
