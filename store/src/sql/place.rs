//! Why a task waits, as far as rows tell.

use std::time::Duration;

use sqlx::Error;
use types::{AgentName, TaskClass, TaskId, TeamName, Timestamp};

use super::concurrency::running_with;
use super::connection::Sql;
use super::pause::pauses;
use super::query::query;
use crate::controls::PlaceInLine;

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) async fn place_in_line(
    sql: &mut dyn Sql,
    task: TaskId,
    now: Timestamp,
) -> Result<Option<PlaceInLine>, Error> {
    let waiting = "SELECT class, team, agent, queued_at, concurrency_key FROM tasks
                   WHERE id = $1 AND state IN ('queued', 'scheduled')";
    let rows = sql.rows(query(waiting).bind(task)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (class, team): (TaskClass, TeamName) = (row.parse("class")?, row.parse("team")?);
    let (agent, key): (AgentName, Option<String>) = (row.parse("agent")?, row.get("concurrency_key")?);
    // A scheduled one comes after all that are queued now.
    let since = row.get::<Option<Timestamp>>("queued_at")?.unwrap_or(Timestamp::from_millis(i64::MAX));

    let ahead = query(
        "SELECT COUNT(*) AS in_class, COALESCE(CAST(SUM(CASE WHEN team = $4 THEN 1 ELSE 0 END) AS BIGINT), 0) AS of_team
         FROM tasks WHERE state = 'queued' AND class = $1 AND (queued_at < $2 OR (queued_at = $2 AND id < $3))",
    );
    let ahead = sql.rows(ahead.bind(class).bind(since).bind(task).bind(&team)).await?;
    let ended = query(
        "SELECT COUNT(*) AS ended FROM tasks
         WHERE state IN ('succeeded', 'failed', 'cancelled', 'dead') AND finished_at IS NOT NULL AND $2 < finished_at
           AND class = $1",
    );
    let ended = sql.rows(ended.bind(class).bind(now.before(MINUTE))).await?;
    let (Some(ahead), Some(ended)) = (ahead.first(), ended.first()) else { return Err(Error::RowNotFound) };
    let running_with_key = match key {
        Some(key) => running_with(sql, &team, &key).await?,
        None => 0,
    };
    let pauses =
        pauses(sql).await?.into_iter().filter(|pause| pause.scope.covers_parts(class, &agent, &team)).collect();
    Ok(Some(PlaceInLine {
        ahead_in_class: ahead.get("in_class")?,
        ahead_of_team: ahead.get("of_team")?,
        running_with_key,
        pauses,
        finished_last_minute: ended.get("ended")?,
    }))
}
