//! The queue in numbers, and what withholds its tasks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Conservation, Pause, Process};
use types::{ProcessId, ProcessRole, TaskClass, Timestamp};
use utoipa::ToSchema;

/// The whole installation in numbers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    /// Tasks by state.
    pub tasks: BTreeMap<String, u64>,
    /// The lines, the most urgent first.
    pub classes: Vec<ClassFigures>,
    /// What is paused, oldest first.
    pub pauses: Vec<PauseView>,
    /// The processes heard of lately.
    pub processes: Vec<ProcessView>,
    /// Whether the queue can be reached.
    pub queue_reachable: bool,
    /// Whether every accepted task is accounted for; only when asked for, since it counts every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conservation: Option<ConservationView>,
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClassFigures {
    /// Whose line it is.
    pub class: TaskClass,
    /// Tasks that wait for a worker.
    pub queued: u64,
    /// Tasks that wait for their time.
    pub scheduled: u64,
    /// Tasks that are worked on.
    pub running: u64,
    /// How long the oldest queued task has waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_queued_seconds: Option<f64>,
}

/// What a pause covers and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseView {
    /// `all`, `class:CLASS`, `agent:AGENT` or `team:TEAM`.
    pub scope: String,
    /// Why, in the words of who paused.
    pub reason: String,
    /// Who paused.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

impl From<Pause> for PauseView {
    fn from(pause: Pause) -> Self {
        PauseView {
            scope: pause.scope.to_string(),
            reason: pause.reason,
            by: pause.by.as_str().to_owned(),
            since: pause.since,
        }
    }
}

/// A process of the installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessView {
    /// Its incarnation.
    pub process: ProcessId,
    /// What it runs.
    pub role: ProcessRole,
    /// Workers it has.
    pub slots: u32,
    /// Those that work on a task.
    pub busy: u32,
    /// When it was heard of first.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
}

impl From<Process> for ProcessView {
    fn from(process: Process) -> Self {
        ProcessView {
            process: process.beat.process,
            role: process.beat.role,
            slots: process.beat.slots,
            busy: process.beat.busy,
            started_at: process.started_at,
            seen_at: process.seen_at,
        }
    }
}

/// The law `accepted = terminal + held + pruned`, counted from independent sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConservationView {
    /// Promises made.
    pub accepted: u64,
    /// Tasks that have ended.
    pub terminal: u64,
    /// Tasks that have not.
    pub held: u64,
    /// Tasks that ended and were forgotten since.
    pub pruned: u64,
    /// Tasks that the figures say are there.
    pub figured: u64,
    /// Whether the sums agree.
    pub holds: bool,
}

impl From<Conservation> for ConservationView {
    fn from(count: Conservation) -> Self {
        ConservationView {
            accepted: count.accepted,
            terminal: count.terminal,
            held: count.held,
            pruned: count.pruned,
            figured: count.figured,
            holds: count.holds(),
        }
    }
}

/// Tasks to withhold from workers. Those that run go on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseQueue {
    /// `all`, `class:CLASS`, `agent:AGENT` or `team:TEAM`.
    #[schema(example = "agent:data-extraction")]
    pub scope: String,
    /// Why; whoever asks why a task waits is told.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// Tasks to withhold no longer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeQueue {
    /// The scope of the pause that ends; others go on.
    #[schema(example = "agent:data-extraction")]
    pub scope: String,
}

/// A pause that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resumed {
    /// What it covered.
    pub scope: String,
    /// Whether there was one.
    pub was_paused: bool,
}
