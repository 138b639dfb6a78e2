//! Why an answer ended.

use inference::ReplyFinish;
use serde::Serialize;
use utoipa::ToSchema;

/// `stop`: by itself or at a stop text; `length`: cut by `max_tokens` or the context; `tool_calls`: with calls.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FinishReason {
    Stop,
    Length,
    ToolCalls,
}

impl From<ReplyFinish> for FinishReason {
    fn from(finish: ReplyFinish) -> Self {
        match finish {
            ReplyFinish::Stop => FinishReason::Stop,
            ReplyFinish::Length => FinishReason::Length,
            ReplyFinish::ToolCalls => FinishReason::ToolCalls,
        }
    }
}
