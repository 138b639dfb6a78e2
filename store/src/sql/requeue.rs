//! Putting a dead letter back: an operator has looked at it.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::{TaskId, TaskState};

use super::query::query;
use super::request::Alone;
use super::transaction::Transaction;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::store::{Edit, Requeueing};

pub(crate) struct Requeue {
    pub(crate) task: TaskId,
    pub(crate) edit: Edit,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for Requeue {
    type Answer = Requeueing;

    const DOING: &'static str = "put a dead letter back";

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.task]
    }

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Requeueing, Error> {
        let Some(task) = tx.standing(self.task).await? else { return Ok(Requeueing::Unknown) };
        if task.state != TaskState::Dead {
            return Ok(Requeueing::NotDead(task.state));
        }
        let update = query(
            "UPDATE tasks SET state = 'queued', queued_at = $2, due_at = NULL, failures = 0, losses = 0,
                    cancel_requested = 0, stop_reason = NULL, error = NULL, finished_at = NULL,
                    deadline_at = CASE WHEN deadline_at <= $2 THEN NULL ELSE deadline_at END,
                    input = COALESCE($3, input), agent = COALESCE($4, agent), class = COALESCE($5, class),
                    max_retries = COALESCE($6, max_retries)
             WHERE id = $1",
        );
        let Edit { input, agent, class, max_retries } = &self.edit;
        let update = update.bind(self.task).bind(tx.now).bind(input.as_deref()).bind(agent.as_ref());
        tx.execute(update.bind(*class).bind(*max_retries)).await?;
        // It is no dead letter any more that anyone has to hear of.
        tx.flush().await?;
        tx.execute(query("DELETE FROM dead_letters WHERE task_id = $1").bind(self.task)).await?;
        let untold = "DELETE FROM webhooks WHERE task_id = $1 AND state = 'pending'";
        tx.execute(query(untold).bind(self.task)).await?;
        let details = json!({
            "failures": task.failures, "losses": task.losses,
            "edited": { "input": input.is_some(), "agent": agent, "class": class, "max_retries": max_retries },
        });
        tx.audit(&self.actor, "task.requeue", &self.task.to_string(), details);
        tx.outbound(self.task);
        tx.event(self.task, EventKind::Requeued, TaskState::Queued, json!({ "by": self.actor }));
        Ok(Requeueing::Queued)
    }
}
