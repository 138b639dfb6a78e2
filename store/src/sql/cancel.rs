//! Cancelling: at once where nobody works, otherwise by a mark that the worker sees.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::{TaskId, TaskState};

use super::query::query;
use super::request::Alone;
use super::transaction::Transaction;
use super::transition::End;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::store::Cancelling;

pub(crate) struct Cancel {
    pub(crate) task: TaskId,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for Cancel {
    type Answer = Cancelling;

    const DOING: &'static str = "cancel a task";

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.task]
    }

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
                tx.finish(&task, End::cancelled(), &self.actor);
                Ok(Cancelling::Cancelled)
            }
        }
    }
}

impl Cancel {
    async fn mark(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        tx.execute(query("UPDATE tasks SET cancel_requested = 1 WHERE id = $1").bind(self.task)).await?;
        tx.audit(&self.actor, "task.cancel", &self.task.to_string(), json!({}));
        tx.event(self.task, EventKind::CancelRequested, TaskState::Running, json!({ "by": self.actor }));
        Ok(())
    }
}
