//! Why a task ended.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::InvalidName;

macro_rules! stop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a task ended. A limit is never reported as success: only `completed` is one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum StopReason { $($(#[$doc])* $variant,)* }

        impl StopReason {
            /// Every reason.
            pub const ALL: &[StopReason] = &[$(StopReason::$variant,)*];

            /// The name in JSON, in the store and in metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(StopReason::$variant => $name,)* }
            }
        }
    };
}

stop_reasons! {
    /// The agent gave its answer.
    Completed = "completed",
    /// The task's own deadline passed.
    Timeout = "timeout",
    /// Someone cancelled it.
    Cancelled = "cancelled",
    /// `guardrails.max_steps` was reached without an answer.
    StepLimit = "step_limit",
    /// `guardrails.max_tool_calls_per_task` was reached without an answer.
    ToolLimit = "tool_limit",
    /// The answer did not end within `guardrails.max_output_tokens`.
    OutputLimit = "output_limit",
    /// The same call gave the same result too often.
    LoopDetected = "loop_detected",
    /// A guardrail refused an act that the agent insisted on.
    GuardrailDenied = "guardrail_denied",
    /// The conversation does not fit into the context.
    ContextOverflow = "context_overflow",
    /// The input cannot be used: an unreadable document, an unknown agent.
    UnusableInput = "unusable_input",
    /// A tool failed and its retries are spent.
    ToolError = "tool_error",
    /// The model failed and its retries are spent.
    ModelError = "model_error",
    /// Too many workers were lost while they held the task.
    Poison = "poison",
    /// A defect of ours: the worker panicked on the task.
    Internal = "internal",
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for StopReason {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        StopReason::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or_else(|| InvalidName {
            what: "stop reason",
            given: text.to_owned(),
            rule: "a name this version knows",
        })
    }
}
