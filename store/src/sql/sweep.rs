//! What time has made due: deadlines, delays that end, leases that expire.

use async_trait::async_trait;
use serde_json::json;
use sqlx::{AssertSqlSafe, Error};
use types::{TaskId, TaskState, Timestamp};

use super::connection::Sql;
use super::lost::{deadline_passed, lose};
use super::query::query;
use super::request::Alone;
use super::standing::Standing;
use super::transaction::Transaction;
use super::transition::End;
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
pub(crate) async fn is_anything_due(sql: &mut dyn Sql, now: Timestamp, leases: LeaseSweep) -> Result<bool, Error> {
    let looks: &[&'static str] = match leases {
        LeaseSweep::Expire => &[TIMED_OUT, DUE, EXPIRED],
        LeaseSweep::Spare => &[TIMED_OUT, DUE],
    };
    for &look in looks {
        if !sql.rows(query(look).bind(now).bind(1_u32)).await?.is_empty() {
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
impl Alone for Sweep {
    type Answer = Swept;

    const DOING: &'static str = "do what is due";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        // Deadlines first: no one is to work on what is too late.
        for task in self.find(tx, TIMED_OUT).await? {
            tx.finish(&task, End::failed(&deadline_passed()), &Actor::system());
            swept.timed_out += 1;
        }
        let expired = match self.leases {
            LeaseSweep::Expire => self.find(tx, EXPIRED).await?,
            LeaseSweep::Spare => Vec::new(),
        };
        for task in expired {
            lose(tx, &task);
            swept.expired += 1;
        }
        for task in self.find(tx, DUE).await? {
            tx.queue(&task, None);
            tx.event(task.id, EventKind::Due, TaskState::Queued, json!({}));
            swept.due += 1;
        }
        Ok(swept)
    }
}

impl Sweep {
    /// Tasks that others change at this moment are left for the next time.
    async fn find(&self, tx: &mut Transaction<'_>, look: &'static str) -> Result<Vec<Standing>, Error> {
        // A constant of ours.
        let look = AssertSqlSafe(format!("{look}{}", tx.dialect().for_update_skip_locked()));
        let rows = tx.rows(query(look).bind(tx.now).bind(self.limit)).await?;
        let tasks: Vec<TaskId> = rows.iter().map(|row| row.parse("id")).collect::<Result<_, _>>()?;
        tx.standings(&tasks).await
    }
}
