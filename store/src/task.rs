//! A task: as it is asked for, as it is answered, as it stands.

use serde::Serialize;
use types::{
    AgentName, AttemptNumber, DocumentId, StopReason, TaskClass, TaskId, TaskState, TeamName, Timestamp, WorkerId,
};

/// A task as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// Who owns it.
    pub team: TeamName,
    /// Who is to work on it.
    pub agent: AgentName,
    /// The line it waits in.
    pub class: TaskClass,
    /// What is asked; a task needs this or documents.
    pub input: Option<String>,
    /// Documents of the same team, in order.
    pub documents: Vec<DocumentId>,
    /// The caller's own name for the request, unique in the team: asking again gives the same task back.
    pub idempotency_key: Option<String>,
    /// Not before this moment.
    pub due_at: Option<Timestamp>,
    /// Not after this moment: an unfinished task fails with `timeout`.
    pub deadline_at: Option<Timestamp>,
    /// In place of the agent's own limit.
    pub max_retries: Option<u32>,
    /// Tasks of the team with the same key run at most `limit` at a time.
    pub concurrency: Option<Concurrency>,
    /// Told by POST when the task has ended.
    pub callback_url: Option<String>,
    /// Estimated tokens: what fairness between teams counts. At least 1.
    pub cost: u32,
}

/// A key whose tasks must not all run at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Concurrency {
    /// 1 to 255 bytes; each team has keys of its own.
    pub key: String,
    /// 1 to 10,000. Each task is held to its own.
    pub limit: u32,
}

/// The promise made to the caller: this task is kept and will end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// The task.
    pub id: TaskId,
    /// Where it stands; anything when it existed before.
    pub state: TaskState,
    /// Whether the idempotency key named a task accepted earlier.
    pub existing: bool,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// Why one task was not accepted. The others of the same call are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// It asks nothing.
    #[error("the task has neither input nor documents; give at least one")]
    Empty,
    /// It refers to documents that the team does not have.
    #[error("team {team} has no document {}; store it first", list(documents))]
    UnknownDocuments {
        /// The team that asked.
        team: TeamName,
        /// Those not found.
        documents: Vec<DocumentId>,
    },
    /// The key was used for something else.
    #[error("idempotency key {key:?} belongs to task {task}, which asked for something else; use a new key")]
    KeyConflict {
        /// The key.
        key: String,
        /// The task that has it.
        task: TaskId,
    },
    /// Too much waits already.
    #[error("{limit} tasks wait already, which is the limit (queue.max_queued); try again when some are done")]
    QueueFull {
        /// The limit.
        limit: u64,
    },
}

fn list(documents: &[DocumentId]) -> String {
    documents.iter().map(DocumentId::as_str).collect::<Vec<_>>().join(", ")
}

/// A task as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Who owns it.
    pub team: TeamName,
    /// Who works on it.
    pub agent: AgentName,
    /// The line it waits in.
    pub class: TaskClass,
    /// Where it stands.
    pub state: TaskState,
    /// What is asked.
    pub input: Option<String>,
    /// The documents it refers to, in order.
    pub documents: Vec<DocumentId>,
    /// The caller's own name for the request.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Since when it has been ready for a worker; only while queued, and in the answer to its opening.
    pub queued_at: Option<Timestamp>,
    /// When it may start: the delay asked for, or the next retry.
    pub due_at: Option<Timestamp>,
    /// When it fails unless finished.
    pub deadline_at: Option<Timestamp>,
    /// When the latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The latest execution; 0 before the first.
    pub attempt: AttemptNumber,
    /// Executions that failed.
    pub failures: u32,
    /// Executions whose worker was lost.
    pub losses: u32,
    /// In place of the agent's own limit of retries.
    pub max_retries: Option<u32>,
    /// How many tasks with its key may run at a time.
    pub concurrency: Option<Concurrency>,
    /// Told by POST when the task has ended.
    pub callback_url: Option<String>,
    /// Estimated tokens.
    pub cost: u32,
    /// Who works on it now, or worked on it last.
    pub worker: Option<WorkerId>,
    /// Until when that worker holds it.
    pub lease_until: Option<Timestamp>,
    /// Whether someone asked to cancel it.
    pub cancel_requested: bool,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// What went wrong last.
    pub error: Option<String>,
    /// The result.
    pub output: Option<serde_json::Value>,
    /// Tokens read by the model, over all attempts.
    pub prompt_tokens: u64,
    /// Tokens written by the model, over all attempts.
    pub completion_tokens: u64,
    /// Steps taken, over all attempts.
    pub steps: u32,
}

/// Which tasks to list; everything unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Of this team.
    pub team: Option<TeamName>,
    /// Of this agent.
    pub agent: Option<AgentName>,
    /// In this state; `Dead` lists the dead letters.
    pub state: Option<TaskState>,
    /// Of this class.
    pub class: Option<TaskClass>,
    /// Ended for this reason.
    pub stop_reason: Option<StopReason>,
    /// Ended before this moment.
    pub ended_before: Option<Timestamp>,
}

/// One page of tasks, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Give this as `before` to get the next page; `None` on the last.
    pub next: Option<TaskId>,
}
