//! How many tasks with a key run: counted from their rows whenever it matters, so that no counter can leak.

use std::collections::HashMap;

use sqlx::Error;
use types::TeamName;

use super::connection::Sql;
use super::dialect::Dialect;
use super::query::{Given, query};
use super::transaction::Transaction;
use crate::controls::KeyHolder;

pub(crate) async fn running_keyed(sql: &mut dyn Sql) -> Result<Vec<KeyHolder>, Error> {
    let running = "SELECT id, team, concurrency_key FROM tasks
                   WHERE state = 'running' AND concurrency_key IS NOT NULL ORDER BY id";
    let rows = sql.rows(query(running)).await?;
    rows.iter()
        .map(|row| Ok(KeyHolder { task: row.parse("id")?, team: row.parse("team")?, key: row.get("concurrency_key")? }))
        .collect()
}

/// Running tasks of the team with the key.
pub(crate) async fn running_with(sql: &mut dyn Sql, team: &TeamName, key: &str) -> Result<u32, Error> {
    let running = "SELECT COUNT(*) AS running FROM tasks
                   WHERE state = 'running' AND concurrency_key IS NOT NULL AND team = $1 AND concurrency_key = $2";
    let rows = sql.rows(query(running).bind(team).bind(key)).await?;
    rows.first().ok_or(Error::RowNotFound)?.get("running")
}

/// How many tasks with each of the keys run. Until the transaction ends, no other counts them.
pub(crate) async fn count(
    tx: &mut Transaction<'_>,
    keys: &[(TeamName, String)],
) -> Result<HashMap<(TeamName, String), u32>, Error> {
    // Ordered, so that no two wait for each other.
    const LOCK: &str = "SELECT pg_advisory_xact_lock(hash) FROM (
        SELECT DISTINCT hashtextextended(team || '/' || name, 0) AS hash FROM {given} ORDER BY hash) AS keys";
    const COUNT: &str = "SELECT team, concurrency_key, COUNT(*) AS running FROM tasks
        WHERE state = 'running' AND concurrency_key IS NOT NULL
          AND (team, concurrency_key) IN (SELECT given.team, given.name FROM {given})
        GROUP BY team, concurrency_key";
    let mut given = Given::new(&["team", "name"]);
    for (team, key) in keys {
        given.push([team.into(), key.into()]);
    }
    if given.is_empty() {
        return Ok(HashMap::new());
    }
    if tx.dialect() == Dialect::Postgres {
        tx.rows(given.clone().query(LOCK)).await?;
    }
    let rows = tx.rows(given.query(COUNT)).await?;
    rows.iter().map(|row| Ok(((row.parse("team")?, row.get("concurrency_key")?), row.get("running")?))).collect()
}
