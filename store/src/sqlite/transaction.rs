//! A transaction of the writer, and the small writes that every verb is made of.

use serde_json::Value;
use sqlx::Error;
use sqlx::sqlite::SqliteConnection;
use types::{StopReason, TaskId, TaskState, Timestamp};

use super::row::Standing;
use crate::audit::Actor;
use crate::change::Change;
use crate::outcome::Failure;
use crate::step::EventKind;

/// Limits that the store itself holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_queued: u64,
    pub(crate) max_losses: u32,
}

/// A transaction of the writer. Nothing else writes while it lasts, so what it reads stays true until it is over.
pub(crate) struct Transaction<'c> {
    pub(crate) connection: &'c mut SqliteConnection,
    pub(crate) limits: Limits,
    /// The moment of everything in it.
    pub(crate) now: Timestamp,
    /// Told to listeners after the commit.
    changes: Vec<Change>,
}

/// How a task ends.
pub(crate) struct End<'a> {
    pub(crate) state: TaskState,
    pub(crate) kind: EventKind,
    pub(crate) reason: StopReason,
    pub(crate) error: Option<&'a str>,
    pub(crate) output: Option<&'a Value>,
}

impl<'a> End<'a> {
    pub(crate) fn succeeded(output: &'a Value) -> Self {
        End {
            state: TaskState::Succeeded,
            kind: EventKind::Succeeded,
            reason: StopReason::Completed,
            error: None,
            output: Some(output),
        }
    }

    pub(crate) fn failed(failure: &'a Failure) -> Self {
        End {
            state: TaskState::Failed,
            kind: EventKind::Failed,
            reason: failure.reason,
            error: Some(&failure.message),
            output: None,
        }
    }

    pub(crate) fn dead(failure: &'a Failure) -> Self {
        End { state: TaskState::Dead, kind: EventKind::Dead, ..End::failed(failure) }
    }

    pub(crate) fn cancelled() -> Self {
        End {
            state: TaskState::Cancelled,
            kind: EventKind::Cancelled,
            reason: StopReason::Cancelled,
            error: None,
            output: None,
        }
    }
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(connection: &'c mut SqliteConnection, limits: Limits, now: Timestamp) -> Self {
        Transaction { connection, limits, now, changes: Vec::new() }
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Where a task stands.
    pub(crate) async fn standing(&mut self, task: TaskId) -> Result<Option<Standing>, Error> {
        Standing::find(self.connection, task).await
    }

    /// Writes an event, and tells listeners after the commit.
    pub(crate) async fn event(
        &mut self,
        task: TaskId,
        kind: EventKind,
        state: TaskState,
        data: Value,
    ) -> Result<(), Error> {
        sqlx::query("INSERT INTO task_events (task_id, at, kind, data) VALUES ($1, $2, $3, $4)")
            .bind(task.to_string())
            .bind(self.now.as_millis())
            .bind(kind.as_str())
            .bind(data.to_string())
            .execute(&mut *self.connection)
            .await?;
        self.changes.push(Change { task, kind, state });
        Ok(())
    }

    pub(crate) async fn audit(
        &mut self,
        actor: &Actor,
        action: &'static str,
        target: &str,
        details: Value,
    ) -> Result<(), Error> {
        sqlx::query("INSERT INTO audit (at, actor, action, target, details) VALUES ($1, $2, $3, $4, $5)")
            .bind(self.now.as_millis())
            .bind(actor.as_str())
            .bind(action)
            .bind(target)
            .bind(details.to_string())
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Has the queue hear of a queued task.
    pub(crate) async fn outbound(&mut self, task: TaskId) -> Result<(), Error> {
        sqlx::query("INSERT INTO outbox (task_id) VALUES ($1)")
            .bind(task.to_string())
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Puts a task that is not queued back into its line.
    pub(crate) async fn queue(&mut self, task: TaskId) -> Result<(), Error> {
        sqlx::query("UPDATE tasks SET state = 'queued', queued_at = $2, lease_until = NULL WHERE id = $1")
            .bind(task.to_string())
            .bind(self.now.as_millis())
            .execute(&mut *self.connection)
            .await?;
        self.outbound(task).await
    }

    /// Ends a task that has not ended, with its event and audit entry.
    pub(crate) async fn finish(&mut self, task: &Standing, end: End<'_>, actor: &Actor) -> Result<(), Error> {
        sqlx::query(
            "UPDATE tasks SET state = $2, stop_reason = $3, error = $4, output = $5, finished_at = $6, lease_until = NULL
             WHERE id = $1",
        )
        .bind(task.id.to_string())
        .bind(end.state.as_str())
        .bind(end.reason.as_str())
        .bind(end.error)
        .bind(end.output.map(Value::to_string))
        .bind(self.now.as_millis())
        .execute(&mut *self.connection)
        .await?;
        let details = serde_json::json!({
            "state": end.state, "stop_reason": end.reason, "attempt": task.attempt, "error": end.error,
        });
        self.audit(actor, "task.end", &task.id.to_string(), details.clone()).await?;
        self.event(task.id, end.kind, end.state, details).await
    }
}
