//! Who can work.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{AgentName, TeamName};
use utoipa::ToSchema;

/// An agent of this installation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    /// Its name.
    pub name: AgentName,
    /// What it does.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// Whose tasks it works on.
    pub team: TeamName,
    /// The model that speaks for it.
    pub model: String,
    /// Tokens of context it really has: min(its own limit, the model's).
    pub context_tokens: usize,
    /// Wall clock for one execution.
    pub timeout_seconds: f64,
    /// The tools it may call.
    pub tools: Vec<String>,
    /// JSON Schema of its answers; absent when they are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output_schema: Option<Value>,
    /// Changes exactly when the agent does.
    pub revision: String,
}
