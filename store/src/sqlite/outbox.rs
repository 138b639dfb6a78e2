//! What waits for the queue.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Error, FromRow, SqlitePool};
use types::{TaskId, Timestamp};

use super::row::{concurrency, parse};
use super::transaction::Transaction;
use super::writer::Request;
use crate::store::Waiting;

const WAITING_COLUMNS: &str = "id, class, team, agent, cost, queued_at, concurrency_key, concurrency_limit";

#[derive(FromRow)]
struct WaitingRow {
    id: String,
    class: String,
    team: String,
    agent: String,
    cost: u32,
    queued_at: i64,
    concurrency_key: Option<String>,
    concurrency_limit: Option<u32>,
}

impl TryFrom<WaitingRow> for Waiting {
    type Error = Error;

    fn try_from(row: WaitingRow) -> Result<Self, Error> {
        Ok(Waiting {
            task: parse(&row.id)?,
            class: parse(&row.class)?,
            team: parse(&row.team)?,
            agent: parse(&row.agent)?,
            cost: row.cost,
            queued_at: Timestamp::from_millis(row.queued_at),
            concurrency: concurrency(row.concurrency_key, row.concurrency_limit),
        })
    }
}

pub(crate) async fn is_empty(readers: &SqlitePool) -> Result<bool, Error> {
    Ok(sqlx::query("SELECT 1 FROM outbox LIMIT 1").fetch_optional(readers).await?.is_none())
}

pub(crate) async fn queued(readers: &SqlitePool, after: Option<TaskId>, limit: u32) -> Result<Vec<Waiting>, Error> {
    // A constant of ours.
    let sql = AssertSqlSafe(format!(
        "SELECT {WAITING_COLUMNS} FROM tasks WHERE state = 'queued' AND $1 < id ORDER BY id LIMIT $2"
    ));
    let rows: Vec<WaitingRow> = sqlx::query_as(sql)
        .bind(after.map_or(String::new(), |task| task.to_string()))
        .bind(limit)
        .fetch_all(readers)
        .await?;
    rows.into_iter().map(Waiting::try_from).collect()
}

pub(crate) async fn still_queued(readers: &SqlitePool, tasks: &[TaskId]) -> Result<Vec<Waiting>, Error> {
    let sql = AssertSqlSafe(format!(
        "SELECT {WAITING_COLUMNS} FROM tasks WHERE state = 'queued' AND id IN (SELECT value FROM json_each($1)) ORDER BY id"
    ));
    let ids = serde_json::json!(tasks).to_string();
    let rows: Vec<WaitingRow> = sqlx::query_as(sql).bind(ids).fetch_all(readers).await?;
    rows.into_iter().map(Waiting::try_from).collect()
}

pub(crate) struct Take {
    pub(crate) limit: u32,
}

#[async_trait]
impl Request for Take {
    type Answer = Vec<Waiting>;

    const DOING: &'static str = "take from the outbox";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Vec<Waiting>, Error> {
        let taken: Vec<(i64, String)> = sqlx::query_as("SELECT seq, task_id FROM outbox ORDER BY seq LIMIT $1")
            .bind(self.limit)
            .fetch_all(&mut *tx.connection)
            .await?;
        let Some((last, _)) = taken.last() else { return Ok(Vec::new()) };
        sqlx::query("DELETE FROM outbox WHERE seq <= $1").bind(last).execute(&mut *tx.connection).await?;
        // A constant of ours.
        let sql = format!("SELECT {WAITING_COLUMNS} FROM tasks WHERE state = 'queued' AND id = $1");
        let mut waiting = Vec::with_capacity(taken.len());
        for (_, task) in &taken {
            let row: Option<WaitingRow> =
                sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(task).fetch_optional(&mut *tx.connection).await?;
            waiting.extend(row.map(Waiting::try_from).transpose()?);
        }
        Ok(waiting)
    }
}
