//! What the queue has to hear of.

use async_trait::async_trait;
use sqlx::{Error, SqlitePool};
use types::{TaskClass, TaskId};

use super::row::parse;
use super::transaction::Transaction;
use super::writer::Request;
use crate::store::Outbound;

pub(crate) async fn after(readers: &SqlitePool, seq: i64, limit: u32) -> Result<Vec<Outbound>, Error> {
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT seq, task_id, class FROM outbox WHERE $1 < seq ORDER BY seq LIMIT $2")
            .bind(seq)
            .bind(limit)
            .fetch_all(readers)
            .await?;
    rows.iter().map(|(seq, task, class)| Ok(Outbound { seq: *seq, task: parse(task)?, class: parse(class)? })).collect()
}

pub(crate) async fn queued(
    readers: &SqlitePool,
    after: Option<TaskId>,
    limit: u32,
) -> Result<Vec<(TaskId, TaskClass)>, Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT id, class FROM tasks WHERE state = 'queued' AND $1 < id ORDER BY id LIMIT $2")
            .bind(after.map_or(String::new(), |task| task.to_string()))
            .bind(limit)
            .fetch_all(readers)
            .await?;
    rows.iter().map(|(task, class)| Ok((parse(task)?, parse(class)?))).collect()
}

pub(crate) struct Clear {
    pub(crate) seq: i64,
}

#[async_trait]
impl Request for Clear {
    type Answer = ();

    const DOING: &'static str = "clear the outbox";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        sqlx::query("DELETE FROM outbox WHERE seq <= $1").bind(self.seq).execute(&mut *tx.connection).await?;
        Ok(())
    }
}
