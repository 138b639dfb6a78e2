//! What waits for the queue.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Error};
use types::{TaskId, TaskState};

use super::connection::Sql;
use super::query::{Given, query};
use super::request::Alone;
use super::row::Row;
use super::standing::concurrency;
use super::transaction::Transaction;
use crate::store::Waiting;

const COLUMNS: &str = "id, class, team, agent, cost, queued_at, concurrency_key, concurrency_limit";

pub(crate) async fn queued(sql: &mut dyn Sql, after: Option<TaskId>, limit: u32) -> Result<Vec<Waiting>, Error> {
    // A constant of ours.
    let select =
        AssertSqlSafe(format!("SELECT {COLUMNS} FROM tasks WHERE state = 'queued' AND $1 < id ORDER BY id LIMIT $2"));
    let after = after.map_or(String::new(), |task| task.to_string());
    sql.rows(query(select).bind(after).bind(limit)).await?.iter().map(Waiting::try_from).collect()
}

pub(crate) async fn still_queued(sql: &mut dyn Sql, tasks: &[TaskId]) -> Result<Vec<Waiting>, Error> {
    let mut given = Given::new(&["task"]);
    for &task in tasks {
        given.push([task.into()]);
    }
    if given.is_empty() {
        return Ok(Vec::new());
    }
    // The state is looked at here: an index on it would lead a plan made for few queued rows through all of many.
    let select = AssertSqlSafe(format!("SELECT state, {COLUMNS} FROM tasks WHERE id IN (SELECT task FROM {{given}})"));
    let mut waiting = Vec::with_capacity(tasks.len());
    for row in sql.rows(given.query(select)).await? {
        if row.parse::<TaskState>("state")? == TaskState::Queued {
            waiting.push(Waiting::try_from(&row)?);
        }
    }
    waiting.sort_unstable_by_key(|waiting: &Waiting| waiting.task);
    Ok(waiting)
}

pub(crate) async fn is_empty(sql: &mut dyn Sql) -> Result<bool, Error> {
    Ok(sql.rows(query("SELECT seq FROM outbox LIMIT 1")).await?.is_empty())
}

pub(crate) struct Take {
    pub(crate) limit: u32,
}

#[async_trait]
impl Alone for Take {
    type Answer = Vec<Waiting>;

    const DOING: &'static str = "take from the outbox";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Vec<Waiting>, Error> {
        let take =
            "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT $1) RETURNING seq, task_id";
        let mut taken: Vec<(i64, TaskId)> = Vec::new();
        for row in tx.rows(query(take).bind(self.limit)).await? {
            taken.push((row.get("seq")?, row.parse("task_id")?));
        }
        taken.sort_unstable();
        let tasks: Vec<TaskId> = taken.iter().map(|&(_, task)| task).collect();
        let waiting = still_queued(tx.sql(), &tasks).await?;
        let mut waiting: HashMap<TaskId, Waiting> =
            waiting.into_iter().map(|waiting| (waiting.task, waiting)).collect();
        Ok(tasks.iter().filter_map(|task| waiting.remove(task)).collect())
    }
}

impl TryFrom<&Row> for Waiting {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Waiting {
            task: row.parse("id")?,
            class: row.parse("class")?,
            team: row.parse("team")?,
            agent: row.parse("agent")?,
            cost: row.get("cost")?,
            queued_at: row.get("queued_at")?,
            concurrency: concurrency(row)?,
        })
    }
}
