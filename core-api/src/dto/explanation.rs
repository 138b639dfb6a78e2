//! Why a task waits.

use serde::{Deserialize, Serialize};
use types::{TaskId, TaskState, Timestamp};
use utoipa::ToSchema;

use super::PauseView;

/// Why a task does not run, in words and as fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The task.
    pub id: TaskId,
    /// Where it stands.
    pub state: TaskState,
    /// What keeps it, the most decisive first; a task that runs or has ended has one that says so.
    pub reasons: Vec<Reason>,
    /// When it will be queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_until: Option<Timestamp>,
    /// Pauses that cover it.
    pub pauses: Vec<PauseView>,
    /// Its concurrency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<KeyUse>,
    /// Where it stands in its line; only while queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Seconds until it starts, should its line go on as in the last minute; absent where nothing went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_wait_seconds: Option<u64>,
    /// Workers of processes heard of lately.
    pub live_workers: u32,
    /// Those of them that work on a task.
    pub busy_workers: u32,
    /// Whether the queue can be reached.
    pub queue_reachable: bool,
}

/// Something that keeps a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// A stable name: `ended`, `running`, `awaiting_approval`, `scheduled`, `paused`, `no_live_worker`,
    /// `queue_unreachable`, `concurrency_limit`, `in_line` or `next`.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// A concurrency key and what it is used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyUse {
    /// The key.
    pub key: String,
    /// How many tasks with it may run at a time, by this task.
    pub limit: u32,
    /// How many run.
    pub running: u32,
}

/// A place in a line. Lines are weighted and shared fairly between teams, so that a place is no exact order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// Queued tasks of its class that have waited longer.
    pub ahead_in_class: u64,
    /// Those of them that are of its team.
    pub ahead_of_team: u64,
}
