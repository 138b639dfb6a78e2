//! Cancelling: at once where nobody works, otherwise by a mark that the worker sees.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::{TaskId, TaskState};

use super::transaction::{End, Transaction};
use super::writer::Request;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::store::Cancelling;

pub(crate) struct Cancel {
    pub(crate) task: TaskId,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Request for Cancel {
    type Answer = Cancelling;

    const DOING: &'static str = "cancel a task";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Cancelling, Error> {
        let Some(task) = tx.standing(self.task).await? else { return Ok(Cancelling::Unknown) };
        match task.state {
            TaskState::Succeeded | TaskState::Failed | TaskState::Cancelled | TaskState::Dead => {
                Ok(Cancelling::Ended(task.state))
            }
            TaskState::Running if !task.lease_expired(tx.now) => {
                if !task.cancel_requested {
                    self.mark(tx).await?;
                }
                Ok(Cancelling::Requested)
            }
            TaskState::Queued | TaskState::Scheduled | TaskState::AwaitingApproval | TaskState::Running => {
                tx.finish(&task, End::cancelled(), &self.actor).await?;
                Ok(Cancelling::Cancelled)
            }
        }
    }
}

impl Cancel {
    async fn mark(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let task = self.task.to_string();
        sqlx::query("UPDATE tasks SET cancel_requested = 1 WHERE id = $1")
            .bind(&task)
            .execute(&mut *tx.connection)
            .await?;
        tx.audit(&self.actor, "task.cancel", &task, json!({})).await?;
        let data = json!({ "by": self.actor });
        tx.event(self.task, EventKind::CancelRequested, TaskState::Running, data).await
    }
}
