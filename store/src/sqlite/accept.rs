//! Accepting: task, event, audit entry and outbox row in one transaction.

use async_trait::async_trait;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Error;
use types::{DocumentId, TaskId, TaskState, Timestamp};

use super::row::parse;
use super::transaction::Transaction;
use super::writer::Request;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::task::{AcceptError, Accepted, NewTask};

pub(crate) struct Accept {
    pub(crate) tasks: Vec<NewTask>,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Request for Accept {
    type Answer = Vec<Result<Accepted, AcceptError>>;

    const DOING: &'static str = "accept tasks";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Self::Answer, Error> {
        let mut waiting = count_waiting(tx).await?;
        let mut answers = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            let answer = accept(tx, task, &self.actor, waiting).await?;
            if answer.as_ref().is_ok_and(|accepted| !accepted.existing) {
                waiting += 1;
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}

async fn count_waiting(tx: &mut Transaction<'_>) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar("SELECT SUM(count) FROM task_figures WHERE state IN ('queued', 'scheduled')")
        .fetch_one(&mut *tx.connection)
        .await?;
    Ok(count.unsigned_abs())
}

async fn accept(
    tx: &mut Transaction<'_>,
    task: &NewTask,
    actor: &Actor,
    waiting: u64,
) -> Result<Result<Accepted, AcceptError>, Error> {
    if task.documents.is_empty() && task.input.as_ref().is_none_or(|input| input.trim().is_empty()) {
        return Ok(Err(AcceptError::Empty));
    }
    // Before the limit: asking again for what was promised must not be refused because others wait.
    if let Some(known) = find_by_key(tx, task).await? {
        return Ok(known);
    }
    let documents = unknown_documents(tx, task).await?;
    if !documents.is_empty() {
        return Ok(Err(AcceptError::UnknownDocuments { team: task.team.clone(), documents }));
    }
    let limit = tx.limits.max_queued;
    if limit <= waiting {
        return Ok(Err(AcceptError::QueueFull { limit }));
    }
    insert(tx, task, actor).await.map(Ok)
}

async fn find_by_key(tx: &mut Transaction<'_>, task: &NewTask) -> Result<Option<Result<Accepted, AcceptError>>, Error> {
    let Some(key) = &task.idempotency_key else { return Ok(None) };
    let found: Option<(String, String, i64, String)> = sqlx::query_as(
        "SELECT id, state, accepted_at, request_sha256 FROM tasks WHERE team = $1 AND idempotency_key = $2",
    )
    .bind(task.team.as_str())
    .bind(key)
    .fetch_optional(&mut *tx.connection)
    .await?;
    let Some((id, state, accepted_at, request)) = found else { return Ok(None) };
    let id = parse(&id)?;
    if request != fingerprint(task) {
        return Ok(Some(Err(AcceptError::KeyConflict { key: key.clone(), task: id })));
    }
    let accepted_at = Timestamp::from_millis(accepted_at);
    Ok(Some(Ok(Accepted { id, state: parse(&state)?, existing: true, accepted_at })))
}

/// What makes two requests the same. Moments are left out: callers work them out anew from "in ten minutes".
fn fingerprint(task: &NewTask) -> String {
    let mut asked = vec![json!(task.agent), json!(task.class), json!(task.input), json!(task.documents)];
    asked.push(json!(task.max_retries));
    // Only where they are asked for: requests of earlier versions keep their fingerprint.
    if task.concurrency.is_some() || task.callback_url.is_some() {
        asked.extend([json!(task.concurrency), json!(task.callback_url)]);
    }
    let asked = serde_json::Value::from(asked);
    hex(&Sha256::digest(asked.to_string()))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn unknown_documents(tx: &mut Transaction<'_>, task: &NewTask) -> Result<Vec<DocumentId>, Error> {
    let mut unknown = Vec::new();
    for document in &task.documents {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM documents WHERE id = $1 AND team = $2")
            .bind(document.as_str())
            .bind(task.team.as_str())
            .fetch_optional(&mut *tx.connection)
            .await?;
        if found.is_none() {
            unknown.push(document.clone());
        }
    }
    Ok(unknown)
}

async fn insert(tx: &mut Transaction<'_>, task: &NewTask, actor: &Actor) -> Result<Accepted, Error> {
    let id = TaskId::new();
    let now = tx.now;
    let state = if task.due_at.is_some_and(|due| now < due) { TaskState::Scheduled } else { TaskState::Queued };
    sqlx::query(
        "INSERT INTO tasks (id, team, agent, class, state, input, documents, idempotency_key, request_sha256,
                            accepted_at, queued_at, due_at, deadline_at, max_retries, concurrency_key,
                            concurrency_limit, callback_url, cost)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(id.to_string())
    .bind(task.team.as_str())
    .bind(task.agent.as_str())
    .bind(task.class.as_str())
    .bind(state.as_str())
    .bind(&task.input)
    .bind(json!(task.documents).to_string())
    .bind(&task.idempotency_key)
    .bind(task.idempotency_key.is_some().then(|| fingerprint(task)))
    .bind(now.as_millis())
    .bind((state == TaskState::Queued).then_some(now.as_millis()))
    .bind(task.due_at.map(Timestamp::as_millis))
    .bind(task.deadline_at.map(Timestamp::as_millis))
    .bind(task.max_retries)
    .bind(task.concurrency.as_ref().map(|concurrency| &concurrency.key))
    .bind(task.concurrency.as_ref().map(|concurrency| concurrency.limit))
    .bind(&task.callback_url)
    .bind(task.cost)
    .execute(&mut *tx.connection)
    .await?;
    let details = json!({ "team": task.team, "agent": task.agent, "class": task.class });
    tx.audit(actor, "task.accept", &id.to_string(), details).await?;
    tx.event(id, EventKind::Accepted, state, json!({ "state": state, "due_at": task.due_at })).await?;
    if state == TaskState::Queued {
        tx.outbound(id).await?;
    }
    Ok(Accepted { id, state, existing: false, accepted_at: now })
}
