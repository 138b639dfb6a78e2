//! A whole task as its row has it.

use sqlx::Error;
use types::AttemptNumber;

use super::row::{Row, json};
use super::standing::{concurrency, worker};
use crate::task::Task;

/// What a statement selects, or returns, to make a [`Task`] of.
pub(crate) const TASK_COLUMNS: &str = "id, team, agent, class, state, input, documents, idempotency_key, accepted_at, queued_at, due_at, deadline_at, started_at, \
     finished_at, attempt, failures, losses, max_retries, concurrency_key, concurrency_limit, callback_url, cost, worker_process, worker_slot, lease_until, cancel_requested, \
     stop_reason, error, output, prompt_tokens, completion_tokens, steps";

impl TryFrom<&Row> for Task {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Task {
            id: row.parse("id")?,
            team: row.parse("team")?,
            agent: row.parse("agent")?,
            class: row.parse("class")?,
            state: row.parse("state")?,
            input: row.get("input")?,
            documents: row.json("documents")?,
            idempotency_key: row.get("idempotency_key")?,
            accepted_at: row.get("accepted_at")?,
            queued_at: row.get("queued_at")?,
            due_at: row.get("due_at")?,
            deadline_at: row.get("deadline_at")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            attempt: AttemptNumber(row.get("attempt")?),
            failures: row.get("failures")?,
            losses: row.get("losses")?,
            max_retries: row.get("max_retries")?,
            concurrency: concurrency(row)?,
            callback_url: row.get("callback_url")?,
            cost: row.get("cost")?,
            worker: worker(row)?,
            lease_until: row.get("lease_until")?,
            cancel_requested: row.get("cancel_requested")?,
            stop_reason: row.parse_some("stop_reason")?,
            error: row.get("error")?,
            output: row.get::<Option<String>>("output")?.as_deref().map(json).transpose()?,
            prompt_tokens: row.get("prompt_tokens")?,
            completion_tokens: row.get("completion_tokens")?,
            steps: row.get("steps")?,
        })
    }
}
