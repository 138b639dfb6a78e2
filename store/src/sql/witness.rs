//! Tells whether a transaction was committed whose answer did not arrive: by a row that it alone would have written.

use sqlx::{AssertSqlSafe, Error};

use super::connection::Sql;
use super::pending::Pending;
use super::query::{Argument, Given, query};

/// A row of the transaction.
#[derive(Debug)]
pub(crate) struct Witness {
    table: &'static str,
    columns: [&'static str; 4],
    values: Vec<Argument>,
}

impl Witness {
    /// An event, or else an audit entry, that is about to be written.
    pub(crate) fn of(pending: &Pending) -> Option<Self> {
        let last = |given: &Given| given.rows.last().cloned();
        let event = |values| Witness { table: "task_events", columns: ["task_id", "at", "kind", "data"], values };
        let entry = |values| Witness { table: "audit", columns: ["at", "actor", "action", "target"], values };
        last(&pending.events).map(event).or_else(|| last(&pending.audit).map(entry))
    }

    /// Looks among the latest rows: it was written moments ago, if at all.
    pub(crate) async fn is_there(&self, sql: &mut dyn Sql) -> Result<bool, Error> {
        let Witness { table, columns: [first, second, third, fourth], values } = self;
        // Constants of ours.
        let count = AssertSqlSafe(format!(
            "SELECT COUNT(*) AS rows FROM {table}
             WHERE {first} = $1 AND {second} = $2 AND {third} = $3 AND {fourth} = $4
               AND (SELECT MAX(seq) FROM {table}) - 1000000 < seq"
        ));
        let count = values.iter().take(4).cloned().fold(query(count), |count, value| count.bind(value));
        let rows = sql.rows(count).await?;
        Ok(0 < rows.first().ok_or(Error::RowNotFound)?.get::<i64>("rows")?)
    }
}
