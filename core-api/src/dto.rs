//! What travels over REST, both ways; the command line reads the same types back.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Accepted, NewTask};
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
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Seconds from now after which an unfinished task fails; up to a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31622400)]
    pub deadline_seconds: Option<u64>,
    /// Retries in place of the agent's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
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

/// A step of a task.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// The execution it belongs to.
    pub attempt: AttemptNumber,
    /// Its number in the task, from 1.
    pub ordinal: u32,
    /// `model` or `tool`.
    pub kind: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Tokens read by the model.
    pub prompt_tokens: u64,
    /// Tokens written by the model.
    pub completion_tokens: u64,
    /// Tool, arguments, excerpt of the result, error.
    #[schema(value_type = Object)]
    pub summary: Value,
}

impl From<store::Step> for StepView {
    fn from(step: store::Step) -> Self {
        StepView {
            attempt: step.attempt,
            ordinal: step.ordinal,
            kind: step.kind.as_str().to_owned(),
            started_at: step.started_at,
            duration_ms: u64::try_from(step.duration.as_millis()).unwrap_or(u64::MAX),
            prompt_tokens: step.prompt_tokens,
            completion_tokens: step.completion_tokens,
            summary: step.summary,
        }
    }
}

/// Something that happened to a task, as the data of a server-sent event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its number; send the last one seen as `Last-Event-ID` to go on from there.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What, e.g. `started`, `step`, `succeeded`.
    pub kind: String,
    /// More about it.
    #[schema(value_type = Object)]
    pub data: Value,
}

impl From<store::Event> for EventView {
    fn from(event: store::Event) -> Self {
        EventView { seq: event.seq, at: event.at, kind: event.kind.as_str().to_owned(), data: event.data }
    }
}

/// A stored document, without its bytes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DocumentView {
    /// Its id; tasks refer to it.
    pub id: DocumentId,
    /// The file's name.
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    /// Its length.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// When it was stored first.
    pub stored_at: Timestamp,
}

impl From<store::Document> for DocumentView {
    fn from(document: store::Document) -> Self {
        DocumentView {
            id: document.id,
            name: document.name,
            media_type: document.media_type,
            size_bytes: document.size_bytes,
            sha256: document.sha256,
            stored_at: document.stored_at,
        }
    }
}

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
