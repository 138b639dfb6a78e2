//! What decides about a task; small, whatever its input and output are.

use sqlx::{AssertSqlSafe, Error};
use types::{AgentName, AttemptNumber, TaskClass, TaskId, TaskState, TeamName, Timestamp, WorkerId};

use super::connection::Sql;
use super::query::Given;
use super::row::Row;
use crate::task::Concurrency;

/// What decides about a task.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: TaskId,
    pub(crate) team: TeamName,
    pub(crate) agent: AgentName,
    pub(crate) class: TaskClass,
    pub(crate) state: TaskState,
    pub(crate) attempt: AttemptNumber,
    pub(crate) failures: u32,
    pub(crate) losses: u32,
    pub(crate) max_retries: Option<u32>,
    pub(crate) queued_at: Option<Timestamp>,
    pub(crate) deadline_at: Option<Timestamp>,
    pub(crate) lease_until: Option<Timestamp>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) cancel_requested: bool,
    pub(crate) concurrency: Option<Concurrency>,
    pub(crate) callback_url: Option<String>,
}

impl Standing {
    /// Those of the tasks that exist, locked for the transaction in order of their ids: so do all, and no one waits in
    /// a circle.
    pub(crate) async fn lock(sql: &mut dyn Sql, tasks: &[TaskId]) -> Result<Vec<Self>, Error> {
        let mut given = Given::new(&["task"]);
        for &task in tasks {
            given.push([task.into()]);
        }
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "SELECT id, team, agent, class, state, attempt, failures, losses, max_retries, queued_at, deadline_at, lease_until,
                    worker_process, worker_slot, cancel_requested, concurrency_key, concurrency_limit, callback_url
             FROM tasks WHERE id IN (SELECT task FROM {{given}}) ORDER BY id{}",
            sql.dialect().for_update()
        );
        // Constants of ours.
        let rows = sql.rows(given.query(AssertSqlSafe(text))).await?;
        rows.iter().map(Standing::try_from).collect()
    }

    pub(crate) fn deadline_passed(&self, now: Timestamp) -> bool {
        self.deadline_at.is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn lease_expired(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until <= now)
    }
}

impl TryFrom<&Row> for Standing {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Standing {
            id: row.parse("id")?,
            team: row.parse("team")?,
            agent: row.parse("agent")?,
            class: row.parse("class")?,
            state: row.parse("state")?,
            attempt: AttemptNumber(row.get("attempt")?),
            failures: row.get("failures")?,
            losses: row.get("losses")?,
            max_retries: row.get("max_retries")?,
            queued_at: row.get("queued_at")?,
            deadline_at: row.get("deadline_at")?,
            lease_until: row.get("lease_until")?,
            worker: worker(row)?,
            cancel_requested: row.get("cancel_requested")?,
            concurrency: concurrency(row)?,
            callback_url: row.get("callback_url")?,
        })
    }
}

/// Who works on a task, or did last.
pub(crate) fn worker(row: &Row) -> Result<Option<WorkerId>, Error> {
    let process = row.parse_some("worker_process")?;
    let slot: Option<u32> = row.get("worker_slot")?;
    Ok(process.zip(slot).map(|(process, slot)| WorkerId { process, slot }))
}

/// How many tasks with its key may run at a time.
pub(crate) fn concurrency(row: &Row) -> Result<Option<Concurrency>, Error> {
    let (key, limit): (Option<String>, Option<u32>) = (row.get("concurrency_key")?, row.get("concurrency_limit")?);
    Ok(key.zip(limit).map(|(key, limit)| Concurrency { key, limit }))
}
