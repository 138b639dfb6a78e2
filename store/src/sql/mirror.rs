//! Dead letters that their mirror has to hear of: an outbox of its own.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Error};

use super::connection::Sql;
use super::query::{Given, query};
use super::request::Alone;
use super::task_row::TASK_COLUMNS;
use super::transaction::Transaction;
use crate::controls::DeadLetter;
use crate::task::Task;

/// Those that were put back meanwhile are dead no more, and not told of.
pub(crate) async fn unmirrored(sql: &mut dyn Sql, limit: u32) -> Result<Vec<DeadLetter>, Error> {
    // A constant of ours.
    let letters = AssertSqlSafe(format!(
        "SELECT seq, {TASK_COLUMNS} FROM dead_letters JOIN tasks ON tasks.id = dead_letters.task_id
         WHERE state = 'dead' ORDER BY seq LIMIT $1"
    ));
    let rows = sql.rows(query(letters).bind(limit)).await?;
    rows.iter().map(|row| Ok(DeadLetter { seq: row.get("seq")?, task: Box::new(Task::try_from(row)?) })).collect()
}

pub(crate) struct Mirrored {
    pub(crate) seqs: Vec<i64>,
}

#[async_trait]
impl Alone for Mirrored {
    type Answer = ();

    const DOING: &'static str = "write that dead letters were mirrored";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let mut given = Given::new(&["seq"]);
        for &seq in &self.seqs {
            given.push([seq.into()]);
        }
        if !given.is_empty() {
            tx.execute(given.query("DELETE FROM dead_letters WHERE seq IN (SELECT seq FROM {given})")).await?;
        }
        Ok(())
    }
}
