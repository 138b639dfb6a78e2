//! Opening attempts and keeping them: the lease in the row.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::{AssertSqlSafe, Error};
use types::{TaskState, Timestamp, WorkerId};

use super::lost::deadline_passed;
use super::row::{Standing, TASK_COLUMNS, TaskRow};
use super::transaction::{End, Transaction};
use super::writer::Request;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::store::{Fence, Opened, Renewal};
use crate::task::Task;
use types::TaskId;

pub(crate) struct Claim {
    pub(crate) task: TaskId,
    pub(crate) worker: WorkerId,
    pub(crate) lease_timeout: Duration,
}

#[async_trait]
impl Request for Claim {
    type Answer = Opened;

    const DOING: &'static str = "open a task";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Opened, Error> {
        let Some(standing) = tx.standing(self.task).await? else { return Ok(Opened::Unknown) };
        match free(tx, &standing).await? {
            TaskState::Queued => Ok(Opened::Held(Box::new(self.claim(tx).await?))),
            state => Ok(Opened::Gone(state)),
        }
    }
}

/// Does what time has made due to this task, and says where it stands then; `Queued` means free.
async fn free(tx: &mut Transaction<'_>, task: &Standing) -> Result<TaskState, Error> {
    match task.state {
        TaskState::Queued | TaskState::Scheduled if task.deadline_passed(tx.now) => {
            tx.finish(task, End::failed(&deadline_passed()), &Actor::system()).await?;
            Ok(TaskState::Failed)
        }
        TaskState::Queued
        | TaskState::Scheduled
        | TaskState::Running
        | TaskState::AwaitingApproval
        | TaskState::Succeeded
        | TaskState::Failed
        | TaskState::Cancelled
        | TaskState::Dead => Ok(task.state),
    }
}

impl Claim {
    async fn claim(&self, tx: &mut Transaction<'_>) -> Result<Task, Error> {
        // A constant of ours.
        let sql = AssertSqlSafe(format!(
            "UPDATE tasks SET state = 'running', attempt = attempt + 1, worker_process = $2, worker_slot = $3,
                    started_at = $4, lease_until = $5, queued_at = NULL
             WHERE id = $1 RETURNING {TASK_COLUMNS}"
        ));
        let row: TaskRow = sqlx::query_as(sql)
            .bind(self.task.to_string())
            .bind(self.worker.process.as_str())
            .bind(self.worker.slot)
            .bind(tx.now.as_millis())
            .bind(tx.now.after(self.lease_timeout).as_millis())
            .fetch_one(&mut *tx.connection)
            .await?;
        let task = Task::try_from(row)?;
        let data = json!({ "attempt": task.attempt, "worker": self.worker.to_string() });
        tx.event(self.task, EventKind::Started, TaskState::Running, data).await?;
        Ok(task)
    }
}

pub(crate) struct Renew {
    pub(crate) held: Vec<Fence>,
    pub(crate) lease_timeout: Duration,
}

#[async_trait]
impl Request for Renew {
    type Answer = Vec<Renewal>;

    const DOING: &'static str = "renew leases";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Vec<Renewal>, Error> {
        let until = tx.now.after(self.lease_timeout);
        let mut renewals = Vec::with_capacity(self.held.len());
        for fence in &self.held {
            renewals.push(renew(tx, fence, until).await?);
        }
        Ok(renewals)
    }
}

/// A lease that has expired and was not given away yet is still good.
async fn renew(tx: &mut Transaction<'_>, fence: &Fence, until: Timestamp) -> Result<Renewal, Error> {
    let cancel_requested: Option<bool> = sqlx::query_scalar(
        "UPDATE tasks SET lease_until = $3 WHERE id = $1 AND attempt = $2 AND state = 'running'
         RETURNING cancel_requested",
    )
    .bind(fence.task.to_string())
    .bind(fence.attempt.0)
    .bind(until.as_millis())
    .fetch_optional(&mut *tx.connection)
    .await?;
    Ok(match cancel_requested {
        None => Renewal::Lost,
        Some(false) => Renewal::Held(until),
        Some(true) => Renewal::CancelRequested(until),
    })
}
