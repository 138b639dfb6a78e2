//! The answer to a batch: one object for each line.

use serde::{Deserialize, Serialize};
use types::TaskId;
use utoipa::ToSchema;

use crate::problem::Problem;

/// What became of one line of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// Its number in the body, from 1; empty lines count and are not answered.
    pub line: u64,
    /// What `POST /v1/tasks` would have answered: 202 when it was accepted.
    pub status: u16,
    /// The accepted task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    /// Whether its idempotency key named a task that was accepted earlier.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub existing: bool,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
