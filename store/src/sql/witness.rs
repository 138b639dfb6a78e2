//! Tells whether a transaction was committed whose answer did not arrive: by an event that it alone would have written.

use sqlx::Error;

use super::connection::Sql;
use super::query::{Argument, query};

/// An event of the transaction: task, moment, kind and data.
#[derive(Debug)]
pub(crate) struct Witness {
    event: Vec<Argument>,
}

impl Witness {
    pub(crate) fn new(event: &[Argument]) -> Self {
        Witness { event: event.to_vec() }
    }

    pub(crate) async fn is_there(&self, sql: &mut dyn Sql) -> Result<bool, Error> {
        let count =
            "SELECT COUNT(*) AS events FROM task_events WHERE task_id = $1 AND at = $2 AND kind = $3 AND data = $4";
        let count = self.event.iter().cloned().fold(query(count), |count, argument| count.bind(argument));
        let rows = sql.rows(count).await?;
        Ok(0 < rows.first().ok_or(Error::RowNotFound)?.get::<i64>("events")?)
    }
}
