//! Rows as values of ours. What a row holds was written by us, so a text that does not parse is a damaged file.

use std::str::FromStr;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Error, FromRow};
use types::{AttemptNumber, TaskId, TaskState, Timestamp, WorkerId};

use crate::task::{Concurrency, Task};

/// What decides about a task; small, whatever its input and output are.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: TaskId,
    pub(crate) state: TaskState,
    pub(crate) attempt: AttemptNumber,
    pub(crate) failures: u32,
    pub(crate) losses: u32,
    pub(crate) max_retries: Option<u32>,
    pub(crate) deadline_at: Option<Timestamp>,
    pub(crate) lease_until: Option<Timestamp>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) cancel_requested: bool,
}

#[derive(FromRow)]
struct StandingRow {
    id: String,
    state: String,
    attempt: u32,
    failures: u32,
    losses: u32,
    max_retries: Option<u32>,
    deadline_at: Option<i64>,
    lease_until: Option<i64>,
    worker_process: Option<String>,
    worker_slot: Option<u32>,
    cancel_requested: bool,
}

impl Standing {
    pub(crate) async fn find(connection: &mut SqliteConnection, task: TaskId) -> Result<Option<Self>, Error> {
        let row: Option<StandingRow> = sqlx::query_as(
            "SELECT id, state, attempt, failures, losses, max_retries, deadline_at, lease_until,
                    worker_process, worker_slot, cancel_requested
             FROM tasks WHERE id = $1",
        )
        .bind(task.to_string())
        .fetch_optional(connection)
        .await?;
        row.map(Standing::try_from).transpose()
    }

    pub(crate) fn deadline_passed(&self, now: Timestamp) -> bool {
        self.deadline_at.is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn lease_expired(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until <= now)
    }
}

impl TryFrom<StandingRow> for Standing {
    type Error = Error;

    fn try_from(row: StandingRow) -> Result<Self, Error> {
        Ok(Standing {
            id: parse(&row.id)?,
            state: parse(&row.state)?,
            attempt: AttemptNumber(row.attempt),
            failures: row.failures,
            losses: row.losses,
            max_retries: row.max_retries,
            deadline_at: row.deadline_at.map(Timestamp::from_millis),
            lease_until: row.lease_until.map(Timestamp::from_millis),
            worker: worker(row.worker_process, row.worker_slot)?,
            cancel_requested: row.cancel_requested,
        })
    }
}

/// The columns of [`TaskRow`].
pub(crate) const TASK_COLUMNS: &str = "id, team, agent, class, state, input, documents, idempotency_key, accepted_at, queued_at, due_at, deadline_at, started_at, \
     finished_at, attempt, failures, losses, max_retries, concurrency_key, concurrency_limit, callback_url, cost, worker_process, worker_slot, lease_until, cancel_requested, \
     stop_reason, error, output, prompt_tokens, completion_tokens, steps";

/// A whole task as its row has it.
#[derive(FromRow)]
pub(crate) struct TaskRow {
    id: String,
    team: String,
    agent: String,
    class: String,
    state: String,
    input: Option<String>,
    documents: String,
    idempotency_key: Option<String>,
    accepted_at: i64,
    queued_at: Option<i64>,
    due_at: Option<i64>,
    deadline_at: Option<i64>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    attempt: u32,
    failures: u32,
    losses: u32,
    max_retries: Option<u32>,
    concurrency_key: Option<String>,
    concurrency_limit: Option<u32>,
    callback_url: Option<String>,
    cost: u32,
    worker_process: Option<String>,
    worker_slot: Option<u32>,
    lease_until: Option<i64>,
    cancel_requested: bool,
    stop_reason: Option<String>,
    error: Option<String>,
    output: Option<String>,
    prompt_tokens: i64,
    completion_tokens: i64,
    steps: u32,
}

impl TryFrom<TaskRow> for Task {
    type Error = Error;

    fn try_from(row: TaskRow) -> Result<Self, Error> {
        Ok(Task {
            id: parse(&row.id)?,
            team: parse(&row.team)?,
            agent: parse(&row.agent)?,
            class: parse(&row.class)?,
            state: parse(&row.state)?,
            input: row.input,
            documents: json(&row.documents)?,
            idempotency_key: row.idempotency_key,
            accepted_at: Timestamp::from_millis(row.accepted_at),
            queued_at: row.queued_at.map(Timestamp::from_millis),
            due_at: row.due_at.map(Timestamp::from_millis),
            deadline_at: row.deadline_at.map(Timestamp::from_millis),
            started_at: row.started_at.map(Timestamp::from_millis),
            finished_at: row.finished_at.map(Timestamp::from_millis),
            attempt: AttemptNumber(row.attempt),
            failures: row.failures,
            losses: row.losses,
            max_retries: row.max_retries,
            concurrency: concurrency(row.concurrency_key, row.concurrency_limit),
            callback_url: row.callback_url,
            cost: row.cost,
            worker: worker(row.worker_process, row.worker_slot)?,
            lease_until: row.lease_until.map(Timestamp::from_millis),
            cancel_requested: row.cancel_requested,
            stop_reason: row.stop_reason.as_deref().map(parse).transpose()?,
            error: row.error,
            output: row.output.as_deref().map(json).transpose()?,
            prompt_tokens: row.prompt_tokens.unsigned_abs(),
            completion_tokens: row.completion_tokens.unsigned_abs(),
            steps: row.steps,
        })
    }
}

/// A word or id from a row.
pub(crate) fn parse<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| Error::Decode(Box::new(error)))
}

/// JSON from a row.
pub(crate) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Decode(Box::new(error)))
}

fn worker(process: Option<String>, slot: Option<u32>) -> Result<Option<WorkerId>, Error> {
    process.zip(slot).map(|(process, slot)| Ok(WorkerId { process: parse(&process)?, slot })).transpose()
}

pub(crate) fn concurrency(key: Option<String>, limit: Option<u32>) -> Option<Concurrency> {
    key.zip(limit).map(|(key, limit)| Concurrency { key, limit })
}

/// A count for a signed column.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
