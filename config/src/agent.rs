//! An agent: one YAML file, read into plain data. What it may do is enforced by the platform, not written here.

mod context;
mod load;
mod output;
mod rules;
mod shape;
mod tool;

use std::time::Duration;

use serde::Serialize;
use types::{AgentName, TeamName};

pub use context::{EffectiveContext, effective_context};
pub use output::{Condition, DerivedField, OutputSpec};
pub use tool::{DataLabel, Effect, Reach, ToolSpec};

pub(crate) use shape::file as file_shape;

/// One agent, checked: its schemas compile, its tools keep the golden rule, its limits are within the platform's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentSpec {
    /// Unique among all agents.
    pub name: AgentName,
    /// For people.
    pub description: String,
    /// Who answers for the agent; `unassigned` when the file does not say.
    pub owner: String,
    /// The team whose tasks it works on.
    pub team: TeamName,
    /// The name of a model of `talon.yml`.
    pub model: String,
    /// Tokens of context the agent may use; the model's own limit may be lower.
    pub max_context_tokens: usize,
    /// Wall clock for one execution of a task.
    #[serde(rename = "timeout_seconds", serialize_with = "crate::seconds::serialize")]
    pub timeout: Duration,
    /// When a failed task runs again.
    #[serde(rename = "retry_policy")]
    pub retry: RetrySpec,
    /// The system prompt.
    pub instructions: String,
    /// The only tools the agent may call.
    pub tools: Vec<ToolSpec>,
    /// Hard limits.
    pub guardrails: Guardrails,
    /// What a warm worker keeps from task to task.
    pub session: SessionSpec,
    /// The form of the answer.
    pub output: OutputSpec,
    /// SHA-256 of everything above, in hexadecimal: changes exactly when the agent does, not with comments.
    pub revision: String,
}

/// When a failed task runs again: `initial_delay * backoff_multiplier^(failures - 1)`, at most `max_delay`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RetrySpec {
    /// Retries after the first execution.
    pub max_retries: u32,
    /// Growth of the delay from one retry to the next.
    pub backoff_multiplier: f64,
    /// Delay before the first retry.
    #[serde(rename = "initial_delay_seconds", serialize_with = "crate::seconds::serialize")]
    pub initial_delay: Duration,
    /// Ceiling of the delay.
    #[serde(rename = "max_delay_seconds", serialize_with = "crate::seconds::serialize")]
    pub max_delay: Duration,
    /// Share of the delay that may be taken off at random, `0.0..=1.0`.
    pub jitter: f64,
}

impl Default for RetrySpec {
    fn default() -> Self {
        RetrySpec {
            max_retries: 2,
            backoff_multiplier: 1.5,
            initial_delay: Duration::from_secs(2),
            max_delay: Duration::from_secs(60),
            jitter: 0.5,
        }
    }
}

/// Hard limits on one task, enforced by the platform.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Guardrails {
    /// Tool calls in one task.
    pub max_tool_calls_per_task: u32,
    /// Model turns in one task.
    pub max_steps: u32,
    /// Tokens of one model turn.
    pub max_output_tokens: usize,
    /// Whether the agent may have tools with `reach: external`.
    pub allow_external_network: bool,
}

impl Default for Guardrails {
    fn default() -> Self {
        Guardrails { max_tool_calls_per_task: 10, max_steps: 12, max_output_tokens: 512, allow_external_network: false }
    }
}

/// How sessions of the agent live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SessionSpec {
    /// What is kept from task to task.
    pub mode: SessionMode,
}

/// What a warm worker keeps from task to task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionMode {
    /// Nothing: each task starts with the instructions alone.
    #[default]
    Task,
    /// The messages, until the session is reset.
    Worker,
}
