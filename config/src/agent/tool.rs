//! A tool as an agent's file grants it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

/// One tool that the agent may call. The grant is exact: this scheme, host, port and path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolSpec {
    /// What the model calls it; unique within the agent.
    pub name: String,
    /// An absolute `http` or `https` URL without user information.
    pub endpoint: String,
    /// For the model.
    pub description: String,
    /// What a call changes.
    pub effect: Effect,
    /// What its results are.
    pub data: DataLabel,
    /// Where its arguments go.
    pub reach: Reach,
    /// Wall clock for one call.
    #[serde(rename = "timeout_seconds", serialize_with = "crate::seconds::serialize")]
    pub timeout: Duration,
    /// JSON Schema of the arguments that the model gives; always of an object.
    pub parameters: Value,
    /// Arguments that the platform adds to each call; the model neither sees nor sets them.
    pub fixed_arguments: Map<String, Value>,
}

/// What a call of a tool changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing.
    Read,
    /// Adds or changes something.
    Write,
    /// Removes something, or cannot be undone.
    Destructive,
}

/// What the results of a tool are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataLabel {
    /// Anyone may know it.
    Public,
    /// Stays in the perimeter.
    Internal,
}

/// Where the arguments of a tool go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// They stay in the perimeter.
    Internal,
    /// They leave it.
    External,
}
