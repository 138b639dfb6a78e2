//! What follows when a worker is lost: its lease has expired without an outcome.

use serde_json::json;
use sqlx::Error;
use types::{StopReason, TaskState};

use super::row::Standing;
use super::transaction::{End, Transaction};
use crate::audit::Actor;
use crate::outcome::Failure;
use crate::step::EventKind;

/// Counts the loss of a running task's worker and says where the task stands then.
pub(crate) async fn lose(tx: &mut Transaction<'_>, task: &Standing) -> Result<TaskState, Error> {
    let losses = task.losses + 1;
    sqlx::query("UPDATE tasks SET losses = $2 WHERE id = $1")
        .bind(task.id.to_string())
        .bind(losses)
        .execute(&mut *tx.connection)
        .await?;
    let system = Actor::system();
    if task.cancel_requested {
        tx.finish(task, End::cancelled(), &system).await?;
        return Ok(TaskState::Cancelled);
    }
    if tx.limits.max_losses < losses {
        let failure = Failure::new(StopReason::Poison, poison(task, losses));
        tx.finish(task, End::dead(&failure), &system).await?;
        return Ok(TaskState::Dead);
    }
    if task.deadline_passed(tx.now) {
        tx.finish(task, End::failed(&deadline_passed()), &system).await?;
        return Ok(TaskState::Failed);
    }
    let details = json!({ "attempt": task.attempt, "worker": task.worker, "losses": losses });
    tx.audit(&system, "task.worker_lost", &task.id.to_string(), details.clone()).await?;
    tx.queue(task.id).await?;
    tx.event(task.id, EventKind::WorkerLost, TaskState::Queued, details).await?;
    Ok(TaskState::Queued)
}

/// A deadline passed before the task was done.
pub(crate) fn deadline_passed() -> Failure {
    Failure::new(StopReason::Timeout, "the task's deadline passed before it was done; allow it more time")
}

fn poison(task: &Standing, losses: u32) -> String {
    let last = task.worker.as_ref().map_or_else(String::new, |worker| format!(", the last was {worker}"));
    format!(
        "{losses} workers were lost while they held this task{last}; see what it does to them (memory, crashes) \
         before it is put back"
    )
}
