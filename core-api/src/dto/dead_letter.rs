//! Dead letters: tasks that could not be finished and wait for an operator.

use serde::{Deserialize, Serialize};
use store::TaskFilter;
use types::{AgentName, AttemptNumber, StopReason, TaskClass, TaskState, TeamName, Timestamp};
use utoipa::ToSchema;

use super::{EventView, StepView, TaskView};

/// A dead letter, with what was tried.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterView {
    /// The task as it stands.
    pub task: TaskView,
    /// Its executions, in order.
    pub attempts: Vec<AttemptView>,
}

/// An execution of a task.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Its number; 0 is what happened before the first.
    pub attempt: AttemptNumber,
    /// What happened, from its start to the next one's; a requeue stands where it happened.
    pub events: Vec<EventView>,
    /// What the model and the tools did.
    pub steps: Vec<StepView>,
}

impl AttemptView {
    /// What happened before a worker took the task; nothing yet.
    pub(crate) fn before_the_first() -> Self {
        AttemptView { attempt: AttemptNumber::default(), events: Vec::new(), steps: Vec::new() }
    }
}

/// What is changed in a dead letter before it waits again; nothing unless given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditTask {
    /// The text of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<TaskClass>,
    /// Retries in place of the agent's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
}

/// Which of the team's dead letters; all of them when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterFilter {
    /// Of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Dead for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<StopReason>,
    /// Dead since before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
}

impl DeadLetterFilter {
    /// The same as a filter of the store.
    pub(crate) fn of(self, team: TeamName) -> TaskFilter {
        TaskFilter {
            team: Some(team),
            agent: self.agent,
            state: Some(TaskState::Dead),
            class: None,
            stop_reason: self.reason,
            ended_before: self.before,
        }
    }
}

/// Dead letters to queue again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequeueMany {
    /// Which.
    pub filter: DeadLetterFilter,
    /// What is changed in each.
    #[serde(default)]
    pub edit: EditTask,
    /// Only count them.
    #[serde(default)]
    pub dry_run: bool,
}

/// Dead letters to forget.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeMany {
    /// Which.
    pub filter: DeadLetterFilter,
    /// Only count them.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of many dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ManyDone {
    /// Those that fit the filter.
    pub matched: u64,
    /// Those that were queued again or forgotten; none in a dry run.
    pub done: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Whether there may be others: at most 10,000 are taken at a time.
    pub more: bool,
}
