//! What time has made due: deadlines, delays that end, leases that expire.

use async_trait::async_trait;
use serde_json::json;
use sqlx::{Error, SqlitePool};
use types::{TaskId, TaskState, Timestamp};

use super::lost::{deadline_passed, lose};
use super::row::parse;
use super::transaction::{End, Transaction};
use super::writer::Request;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::store::{LeaseSweep, Swept};

// Each is served by a partial index, so its WHERE has to be spelled like the index's.
const TIMED_OUT: &str = "SELECT id FROM tasks
    WHERE state IN ('queued', 'scheduled') AND deadline_at IS NOT NULL AND deadline_at <= $1 ORDER BY deadline_at LIMIT $2";
const EXPIRED: &str =
    "SELECT id FROM tasks WHERE state = 'running' AND lease_until <= $1 ORDER BY lease_until LIMIT $2";
const DUE: &str = "SELECT id FROM tasks WHERE state = 'scheduled' AND due_at <= $1 ORDER BY due_at LIMIT $2";

/// Looks without the writer: mostly there is nothing.
pub(crate) async fn is_anything_due(readers: &SqlitePool, now: Timestamp, leases: LeaseSweep) -> Result<bool, Error> {
    let looks: &[&'static str] = match leases {
        LeaseSweep::Expire => &[TIMED_OUT, DUE, EXPIRED],
        LeaseSweep::Spare => &[TIMED_OUT, DUE],
    };
    for &look in looks {
        let found = sqlx::query(look).bind(now.as_millis()).bind(1).fetch_optional(readers).await?;
        if found.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) struct Sweep {
    pub(crate) limit: u32,
    pub(crate) leases: LeaseSweep,
}

#[async_trait]
impl Request for Sweep {
    type Answer = Swept;

    const DOING: &'static str = "do what is due";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        // Deadlines first: no one is to work on what is too late.
        for task in self.find(tx, TIMED_OUT).await? {
            let Some(task) = tx.standing(task).await? else { continue };
            tx.finish(&task, End::failed(&deadline_passed()), &Actor::system()).await?;
            swept.timed_out += 1;
        }
        let expired = match self.leases {
            LeaseSweep::Expire => self.find(tx, EXPIRED).await?,
            LeaseSweep::Spare => Vec::new(),
        };
        for task in expired {
            let Some(task) = tx.standing(task).await? else { continue };
            lose(tx, &task).await?;
            swept.expired += 1;
        }
        for task in self.find(tx, DUE).await? {
            let Some(task) = tx.standing(task).await? else { continue };
            tx.queue(task.id).await?;
            tx.event(task.id, EventKind::Due, TaskState::Queued, json!({})).await?;
            swept.due += 1;
        }
        Ok(swept)
    }
}

impl Sweep {
    async fn find(&self, tx: &mut Transaction<'_>, sql: &'static str) -> Result<Vec<TaskId>, Error> {
        let ids: Vec<String> =
            sqlx::query_scalar(sql).bind(tx.now.as_millis()).bind(self.limit).fetch_all(&mut *tx.connection).await?;
        ids.iter().map(|id| parse(id)).collect()
    }
}
