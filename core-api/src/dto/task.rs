//! Tasks: as they are asked for, as they stand, what happened to them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Accepted, Concurrency, NewTask};
use types::{AgentName, AttemptNumber, DocumentId, StopReason, TaskClass, TaskId, TaskState, TeamName, Timestamp};
use utoipa::ToSchema;

/// A task to submit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitTask {
    /// Who works on it.
    pub agent: AgentName,
    /// The text of the task; a task needs this or documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Ids of stored documents, 64 at most; one that is named twice counts once for the work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64)]
    pub documents: Vec<DocumentId>,
    /// How urgent it is; `priority` is another name for this field.
    #[serde(default, alias = "priority")]
    pub class: TaskClass,
    /// Not before this moment; one that has passed means now. `not_before` is another name for this field.
    #[serde(default, alias = "not_before", skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Seconds from now after which an unfinished task fails; up to a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31622400)]
    pub deadline_seconds: Option<u64>,
    /// Retries in place of the agent's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Tasks of the team with the same key do not all run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub concurrency_key: Option<String>,
    /// How many tasks with the key may run at a time; 1 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub concurrency_limit: Option<u32>,
    /// Where a signed message is sent when the task has ended; the configuration says which places are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub callback_url: Option<String>,
    /// The caller's own name for the request: asking again gives the same task back. Counts more than the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub idempotency_key: Option<String>,
}

/// A task as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// Who owns it.
    pub team: TeamName,
    /// Who works on it.
    pub agent: AgentName,
    /// How urgent it is.
    pub class: TaskClass,
    /// Where it stands.
    pub state: TaskState,
    /// The text of the task.
    pub input: Option<String>,
    /// The documents it refers to.
    pub documents: Vec<DocumentId>,
    /// The result: JSON by the agent's schema, or text.
    pub output: Option<Value>,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// What went wrong last.
    pub error: Option<String>,
    /// The latest execution; 0 before the first.
    pub attempt: AttemptNumber,
    /// Executions that failed.
    pub failures: u32,
    /// Executions whose worker was lost.
    pub losses: u32,
    /// Steps taken, over all executions.
    pub steps: u32,
    /// Tokens read by the model.
    pub prompt_tokens: u64,
    /// Tokens written by the model.
    pub completion_tokens: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it may start: the delay asked for, or the next retry.
    pub due_at: Option<Timestamp>,
    /// When it fails unless finished.
    pub deadline_at: Option<Timestamp>,
    /// When the latest execution began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Who works on it, or worked on it last.
    pub worker: Option<String>,
    /// Whether someone asked to cancel it.
    pub cancel_requested: bool,
    /// How many tasks with its key may run at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyView>,
    /// Where a message is sent when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// A key whose tasks do not all run at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConcurrencyView {
    /// The key; each team has its own.
    pub key: String,
    /// How many of them may run at a time.
    pub limit: u32,
}

impl From<Concurrency> for ConcurrencyView {
    fn from(concurrency: Concurrency) -> Self {
        ConcurrencyView { key: concurrency.key, limit: concurrency.limit }
    }
}

impl From<store::Task> for TaskView {
    fn from(task: store::Task) -> Self {
        TaskView {
            id: task.id,
            team: task.team,
            agent: task.agent,
            class: task.class,
            state: task.state,
            input: task.input,
            documents: task.documents,
            output: task.output,
            stop_reason: task.stop_reason,
            error: task.error,
            attempt: task.attempt,
            failures: task.failures,
            losses: task.losses,
            steps: task.steps,
            prompt_tokens: task.prompt_tokens,
            completion_tokens: task.completion_tokens,
            accepted_at: task.accepted_at,
            due_at: task.due_at,
            deadline_at: task.deadline_at,
            started_at: task.started_at,
            finished_at: task.finished_at,
            worker: task.worker.map(|worker| worker.to_string()),
            cancel_requested: task.cancel_requested,
            concurrency: task.concurrency.map(ConcurrencyView::from),
            callback_url: task.callback_url,
        }
    }
}

impl TaskView {
    /// A task that was accepted just now, before anything happened to it.
    pub(crate) fn accepted(task: NewTask, accepted: &Accepted) -> Self {
        TaskView {
            id: accepted.id,
            team: task.team,
            agent: task.agent,
            class: task.class,
            state: accepted.state,
            input: task.input,
            documents: task.documents,
            output: None,
            stop_reason: None,
            error: None,
            attempt: AttemptNumber::default(),
            failures: 0,
            losses: 0,
            steps: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
            accepted_at: accepted.accepted_at,
            due_at: task.due_at,
            deadline_at: task.deadline_at,
            started_at: None,
            finished_at: None,
            worker: None,
            cancel_requested: false,
            concurrency: task.concurrency.map(ConcurrencyView::from),
            callback_url: task.callback_url,
        }
    }
}

/// One page of tasks, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaskList {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// Give this as `before` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<TaskId>,
}

/// What became of a cancellation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cancellation {
    /// The task.
    pub id: TaskId,
    /// Its state now; `running` means that its worker was told to stop.
    pub state: TaskState,
    /// Whether its worker was told to stop and has not answered yet.
    pub requested: bool,
}
