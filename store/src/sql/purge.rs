//! Forgetting tasks with all that belongs to them. The audit log keeps that they were there, and that they went.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::{TaskId, TaskState};

use super::query::Given;
use super::request::Alone;
use super::transaction::Transaction;
use crate::audit::Actor;
use crate::store::Purging;

pub(crate) struct Purge {
    pub(crate) task: TaskId,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for Purge {
    type Answer = Purging;

    const DOING: &'static str = "purge a dead letter";

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.task]
    }

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Purging, Error> {
        let Some(task) = tx.standing(self.task).await? else { return Ok(Purging::Unknown) };
        if task.state != TaskState::Dead {
            return Ok(Purging::NotDead(task.state));
        }
        forget(tx, &[self.task]).await?;
        tx.audit(&self.actor, "task.purge", &self.task.to_string(), json!({ "team": task.team, "agent": task.agent }));
        Ok(Purging::Purged)
    }
}

/// Deletes ended tasks; their rows are held by this transaction. What the outbox still says of them does no harm.
pub(crate) async fn forget(tx: &mut Transaction<'_>, tasks: &[TaskId]) -> Result<(), Error> {
    const STATEMENTS: [&str; 6] = [
        "DELETE FROM task_events WHERE task_id IN (SELECT id FROM {given})",
        "DELETE FROM steps WHERE task_id IN (SELECT id FROM {given})",
        "DELETE FROM task_documents WHERE task_id IN (SELECT id FROM {given})",
        "DELETE FROM dead_letters WHERE task_id IN (SELECT id FROM {given})",
        "DELETE FROM webhooks WHERE task_id IN (SELECT id FROM {given})",
        "DELETE FROM tasks WHERE id IN (SELECT id FROM {given})",
    ];
    // Another write of the same transaction may have ended one of them, or be about to look at it.
    tx.flush().await?;
    for &task in tasks {
        tx.forget_ahead(task);
    }
    for statement in STATEMENTS {
        let mut given = Given::new(&["id"]);
        for &task in tasks {
            given.push([task.into()]);
        }
        tx.execute(given.query(statement)).await?;
    }
    Ok(())
}
