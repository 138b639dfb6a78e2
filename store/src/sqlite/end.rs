//! The one outcome of an attempt.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::{TaskState, Timestamp};

use super::row::Standing;
use super::transaction::{self, Transaction};
use super::writer::Request;
use crate::audit::Actor;
use crate::outcome::{Ended, Ending, Failure};
use crate::retry::{Next, RetryPolicy};
use crate::step::EventKind;
use crate::store::Fence;

pub(crate) struct End {
    pub(crate) fence: Fence,
    pub(crate) ending: Ending,
}

#[async_trait]
impl Request for End {
    /// `None`: the lease is lost.
    type Answer = Option<Ended>;

    const DOING: &'static str = "write an outcome";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Option<Ended>, Error> {
        let Some(task) = tx.standing(self.fence.task).await? else { return Ok(None) };
        if task.state != TaskState::Running || task.attempt != self.fence.attempt {
            return Ok(None);
        }
        let actor = Actor::new(task.worker.as_ref().map_or("worker".to_owned(), ToString::to_string));
        end(tx, &task, &self.ending, &actor).await.map(Some)
    }
}

async fn end(tx: &mut Transaction<'_>, task: &Standing, ending: &Ending, actor: &Actor) -> Result<Ended, Error> {
    let end = match ending {
        Ending::Complete { output } => transaction::End::succeeded(output),
        Ending::Fail(failure) => transaction::End::failed(failure),
        Ending::Bury(failure) => transaction::End::dead(failure),
        Ending::Cancelled => transaction::End::cancelled(),
        // It would run again only to be stopped.
        Ending::Retry { .. } | Ending::Release if task.cancel_requested => transaction::End::cancelled(),
        Ending::Release => return release(tx, task, actor).await,
        Ending::Retry { failure, policy, not_before, unit } => {
            let failures = task.failures + 1;
            count_failure(tx, task, failures).await?;
            let policy = RetryPolicy { max_retries: task.max_retries.unwrap_or(policy.max_retries), ..*policy };
            match policy.after(failures, *unit) {
                Next::Bury => transaction::End::dead(failure),
                Next::RetryAfter(delay) => {
                    let due_at = tx.now.after(delay).max(not_before.unwrap_or(tx.now));
                    return schedule(tx, task, failure, failures, due_at, actor).await;
                }
            }
        }
    };
    let state = end.state;
    tx.finish(task, end, actor).await?;
    Ok(Ended { state, due_at: None })
}

async fn count_failure(tx: &mut Transaction<'_>, task: &Standing, failures: u32) -> Result<(), Error> {
    sqlx::query("UPDATE tasks SET failures = $2 WHERE id = $1")
        .bind(task.id.to_string())
        .bind(failures)
        .execute(&mut *tx.connection)
        .await?;
    Ok(())
}

async fn schedule(
    tx: &mut Transaction<'_>,
    task: &Standing,
    failure: &Failure,
    failures: u32,
    due_at: Timestamp,
    actor: &Actor,
) -> Result<Ended, Error> {
    sqlx::query("UPDATE tasks SET state = 'scheduled', due_at = $2, error = $3, lease_until = NULL WHERE id = $1")
        .bind(task.id.to_string())
        .bind(due_at.as_millis())
        .bind(&failure.message)
        .execute(&mut *tx.connection)
        .await?;
    let details = json!({
        "attempt": task.attempt, "failures": failures, "reason": failure.reason, "error": failure.message, "due_at": due_at,
    });
    tx.audit(actor, "task.retry", &task.id.to_string(), details.clone()).await?;
    tx.event(task.id, EventKind::Retrying, TaskState::Scheduled, details).await?;
    Ok(Ended { state: TaskState::Scheduled, due_at: Some(due_at) })
}

async fn release(tx: &mut Transaction<'_>, task: &Standing, actor: &Actor) -> Result<Ended, Error> {
    let details = json!({ "attempt": task.attempt });
    tx.audit(actor, "task.release", &task.id.to_string(), details.clone()).await?;
    tx.queue(task.id).await?;
    tx.event(task.id, EventKind::Released, TaskState::Queued, details).await?;
    Ok(Ended { state: TaskState::Queued, due_at: None })
}
