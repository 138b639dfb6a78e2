//! The processes that live, as they say themselves.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Error;

use super::connection::Sql;
use super::query::query;
use super::request::Alone;
use super::transaction::Transaction;
use crate::controls::{Process, ProcessBeat};

/// Who is silent for longer is forgotten.
const SILENCE: Duration = Duration::from_secs(600);

pub(crate) struct Beat {
    pub(crate) beat: ProcessBeat,
}

#[async_trait]
impl Alone for Beat {
    type Answer = ();

    const DOING: &'static str = "write that a process lives";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let ProcessBeat { process, role, slots, busy } = &self.beat;
        tx.execute(
            query(
                "INSERT INTO processes (process, role, slots, busy, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, $5)
                 ON CONFLICT (process) DO UPDATE SET role = $2, slots = $3, busy = $4, seen_at = $5",
            )
            .bind(process)
            .bind(role.as_str())
            .bind(*slots)
            .bind(*busy)
            .bind(tx.now),
        )
        .await?;
        let silent = query("DELETE FROM processes WHERE seen_at < $1").bind(tx.now.before(SILENCE));
        tx.execute(silent).await?;
        Ok(())
    }
}

pub(crate) async fn processes(sql: &mut dyn Sql) -> Result<Vec<Process>, Error> {
    let all = "SELECT process, role, slots, busy, started_at, seen_at FROM processes ORDER BY process";
    let rows = sql.rows(query(all)).await?;
    rows.iter()
        .map(|row| {
            let (process, role) = (row.parse("process")?, row.parse("role")?);
            let beat = ProcessBeat { process, role, slots: row.get("slots")?, busy: row.get("busy")? };
            Ok(Process { beat, started_at: row.get("started_at")?, seen_at: row.get("seen_at")? })
        })
        .collect()
}
