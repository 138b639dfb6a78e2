//! A transaction of the writer, and the small writes that every verb is made of.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::Error;
use types::{TaskId, TaskState, Timestamp, WebhookId};

use super::connection::Sql;
use super::dialect::Dialect;
use super::pending::Pending;
use super::query::Query;
use super::row::Row;
use super::standing::Standing;
use super::transition::{End, Transition};
use super::witness::Witness;
use crate::audit::Actor;
use crate::change::Change;
use crate::step::EventKind;

/// Limits that the store itself holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_queued: u64,
    pub(crate) max_losses: u32,
}

/// A transaction of the writer. What it has looked at with [`standing`](Self::standing) is not changed by others while
/// it lasts.
pub(crate) struct Transaction<'c> {
    sql: &'c mut dyn Sql,
    pub(crate) limits: Limits,
    /// The moment of everything in it.
    pub(crate) now: Timestamp,
    /// Locked and read ahead. Taken by the first that asks: after that the task may have changed.
    ahead: HashMap<TaskId, Standing>,
    pending: Pending,
    /// Told to listeners after the commit.
    changes: Vec<Change>,
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(sql: &'c mut dyn Sql, limits: Limits, now: Timestamp) -> Self {
        Transaction { sql, limits, now, ahead: HashMap::new(), pending: Pending::new(), changes: Vec::new() }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.sql.dialect()
    }

    /// The connection, for what readers ask as well.
    pub(crate) fn sql(&mut self) -> &mut dyn Sql {
        self.sql
    }

    /// Carries a statement out and says how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        self.pending.write_transitions(self.sql).await?;
        self.sql.execute(query).await
    }

    /// Carries a statement out and returns its rows.
    pub(crate) async fn rows(&mut self, query: Query) -> Result<Vec<Row>, Error> {
        self.pending.write_transitions(self.sql).await?;
        self.sql.rows(query).await
    }

    /// Carries a statement out and returns its first row.
    pub(crate) async fn row(&mut self, query: Query) -> Result<Option<Row>, Error> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Locks tasks and reads where they stand, for [`standing`](Self::standing) to find.
    pub(crate) async fn look_ahead(&mut self, tasks: &[TaskId]) -> Result<(), Error> {
        self.pending.write_transitions(self.sql).await?;
        let found = Standing::lock(self.sql, tasks).await?;
        self.ahead.extend(found.into_iter().map(|standing| (standing.id, standing)));
        Ok(())
    }

    /// Where a task stands; locked until the end.
    pub(crate) async fn standing(&mut self, task: TaskId) -> Result<Option<Standing>, Error> {
        if !self.ahead.contains_key(&task) {
            self.look_ahead(&[task]).await?;
        }
        Ok(self.ahead.remove(&task))
    }

    /// Where tasks stand, in this order, without those that do not exist; locked until the end.
    pub(crate) async fn standings(&mut self, tasks: &[TaskId]) -> Result<Vec<Standing>, Error> {
        let unread: Vec<TaskId> = tasks.iter().copied().filter(|task| !self.ahead.contains_key(task)).collect();
        if !unread.is_empty() {
            self.look_ahead(&unread).await?;
        }
        Ok(tasks.iter().filter_map(|task| self.ahead.remove(task)).collect())
    }

    /// Another statement changes this task: what was read ahead of it is no longer so.
    pub(crate) fn forget_ahead(&mut self, task: TaskId) {
        self.ahead.remove(&task);
    }

    /// An event, of which listeners are told after the commit.
    pub(crate) fn event(&mut self, task: TaskId, kind: EventKind, state: TaskState, data: Value) {
        self.pending.events.push([task.into(), self.now.into(), kind.as_str().into(), data.to_string().into()]);
        self.changes.push(Change { task, kind, state });
    }

    pub(crate) fn audit(&mut self, actor: &Actor, action: &'static str, target: &str, details: Value) {
        let row = [self.now.into(), actor.as_str().into(), action.into(), target.into(), details.to_string().into()];
        self.pending.audit.push(row);
    }

    /// Has the queue hear of a queued task.
    pub(crate) fn outbound(&mut self, task: TaskId) {
        self.pending.outbox.push([task.into()]);
    }

    /// Moves a task to where the transition says.
    pub(crate) fn transit(&mut self, task: TaskId, transition: Transition<'_>) {
        self.pending.transitions.push(transition.into_row(task));
    }

    /// Puts a task that is not queued back into its line.
    pub(crate) fn queue(&mut self, task: &Standing, losses: Option<u32>) {
        self.transit(task.id, Transition { losses, ..Transition::queued(self.now) });
        self.outbound(task.id);
    }

    /// Ends a task that has not ended, with its event, its audit entry and word for those who are to hear of it.
    pub(crate) fn finish(&mut self, task: &Standing, end: End<'_>, actor: &Actor) {
        let details = serde_json::json!({
            "state": end.state, "stop_reason": end.reason, "attempt": task.attempt, "error": end.error, "by": actor,
        });
        let (kind, state) = (end.kind, end.state);
        if state == TaskState::Dead {
            self.pending.dead_letters.push([task.id.into()]);
        }
        if let Some(url) = &task.callback_url {
            let id = WebhookId::random();
            let row = [id.as_str().into(), task.id.into(), (&task.team).into(), url.into(), self.now.into()];
            self.pending.webhooks.push(row);
        }
        self.transit(task.id, end.at(self.now));
        self.audit(actor, "task.end", &task.id.to_string(), details.clone());
        self.event(task.id, kind, state, details);
    }

    /// By which the commit can be recognised; before it is written.
    pub(crate) fn witness(&self) -> Option<Witness> {
        Witness::of(&self.pending)
    }

    /// Writes what was decided, for those who read or delete such rows in this transaction.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.pending.write(self.sql).await
    }

    /// Writes what is left to write, and says what listeners are to hear after the commit.
    pub(crate) async fn into_changes(mut self) -> Result<Vec<Change>, Error> {
        self.flush().await?;
        Ok(self.changes)
    }
}
