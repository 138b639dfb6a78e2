//! What readers ask; none of it waits for the writer.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Error, FromRow, QueryBuilder, Sqlite, SqlitePool};
use types::{AttemptNumber, TaskClass, TaskId, TaskState, Timestamp};

use super::row::{TASK_COLUMNS, TaskRow, json, parse};
use crate::audit::{Actor, AuditEntry};
use crate::figures::{Conservation, Figures};
use crate::step::{Event, Step};
use crate::task::{Task, TaskFilter, TaskPage};

pub(crate) async fn task(readers: &SqlitePool, task: TaskId) -> Result<Option<Task>, Error> {
    // A constant of ours.
    let sql = AssertSqlSafe(format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id = $1"));
    let row: Option<TaskRow> = sqlx::query_as(sql).bind(task.to_string()).fetch_optional(readers).await?;
    row.map(Task::try_from).transpose()
}

pub(crate) async fn tasks(
    readers: &SqlitePool,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: u32,
) -> Result<TaskPage, Error> {
    let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {TASK_COLUMNS} FROM tasks WHERE TRUE"));
    if let Some(team) = &filter.team {
        query.push(" AND team = ").push_bind(team.as_str());
    }
    if let Some(agent) = &filter.agent {
        query.push(" AND agent = ").push_bind(agent.as_str());
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(class) = filter.class {
        query.push(" AND class = ").push_bind(class.as_str());
    }
    if let Some(reason) = filter.stop_reason {
        query.push(" AND stop_reason = ").push_bind(reason.as_str());
    }
    if let Some(moment) = filter.ended_before {
        query.push(" AND finished_at < ").push_bind(moment.as_millis());
    }
    if let Some(before) = before {
        query.push(" AND id < ").push_bind(before.to_string());
    }
    // One more than asked for tells whether there is a next page.
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let rows: Vec<TaskRow> = query.build_query_as().fetch_all(readers).await?;
    let mut tasks = rows.into_iter().map(Task::try_from).collect::<Result<Vec<_>, _>>()?;
    let more = limit as usize <= tasks.len().saturating_sub(1);
    tasks.truncate(limit as usize);
    let next = if more { tasks.last().map(|task| task.id) } else { None };
    Ok(TaskPage { tasks, next })
}

pub(crate) async fn events(
    readers: &SqlitePool,
    task: TaskId,
    after_seq: i64,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    let rows: Vec<(i64, i64, String, String)> = sqlx::query_as(
        "SELECT seq, at, kind, data FROM task_events WHERE task_id = $1 AND $2 < seq ORDER BY seq LIMIT $3",
    )
    .bind(task.to_string())
    .bind(after_seq)
    .bind(limit)
    .fetch_all(readers)
    .await?;
    rows.into_iter()
        .map(|(seq, at, kind, data)| {
            Ok(Event { seq, task, at: Timestamp::from_millis(at), kind: parse(&kind)?, data: json(&data)? })
        })
        .collect()
}

#[derive(FromRow)]
struct StepRow {
    attempt: u32,
    ordinal: u32,
    kind: String,
    started_at: i64,
    duration_ms: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    summary: String,
}

pub(crate) async fn steps(readers: &SqlitePool, task: TaskId) -> Result<Vec<Step>, Error> {
    let rows: Vec<StepRow> = sqlx::query_as(
        "SELECT attempt, ordinal, kind, started_at, duration_ms, prompt_tokens, completion_tokens, summary
         FROM steps WHERE task_id = $1 ORDER BY ordinal",
    )
    .bind(task.to_string())
    .fetch_all(readers)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Step {
                attempt: AttemptNumber(row.attempt),
                ordinal: row.ordinal,
                kind: parse(&row.kind)?,
                started_at: Timestamp::from_millis(row.started_at),
                duration: Duration::from_millis(row.duration_ms.unsigned_abs()),
                prompt_tokens: row.prompt_tokens.unsigned_abs(),
                completion_tokens: row.completion_tokens.unsigned_abs(),
                summary: json(&row.summary)?,
            })
        })
        .collect()
}

pub(crate) async fn audit(readers: &SqlitePool, after_seq: i64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
    let rows: Vec<(i64, i64, String, String, String, String)> = sqlx::query_as(
        "SELECT seq, at, actor, action, target, details FROM audit WHERE $1 < seq ORDER BY seq LIMIT $2",
    )
    .bind(after_seq)
    .bind(limit)
    .fetch_all(readers)
    .await?;
    rows.into_iter()
        .map(|(seq, at, actor, action, target, details)| {
            let (at, actor, details) = (Timestamp::from_millis(at), Actor::new(actor), json(&details)?);
            Ok(AuditEntry { seq, at, actor, action, target, details })
        })
        .collect()
}

pub(crate) async fn figures(readers: &SqlitePool, now: Timestamp) -> Result<Figures, Error> {
    let mut figures = Figures::default();
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT state, class, count FROM task_figures").fetch_all(readers).await?;
    for (state, class, count) in rows {
        let (state, class): (TaskState, TaskClass) = (parse(&state)?, parse(&class)?);
        figures.tasks[state as usize][class as usize] = count.unsigned_abs();
    }
    for class in TaskClass::ALL {
        let oldest: Option<i64> =
            sqlx::query_scalar("SELECT MIN(queued_at) FROM tasks WHERE state = 'queued' AND class = $1")
                .bind(class.as_str())
                .fetch_one(readers)
                .await?;
        figures.oldest_queued[class as usize] = oldest.map(|oldest| now.since(Timestamp::from_millis(oldest)));
    }
    Ok(figures)
}

pub(crate) async fn conservation(readers: &SqlitePool) -> Result<Conservation, Error> {
    // One statement, so that all numbers are of one moment.
    let (accepted, terminal, held, pruned, figured): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM audit WHERE action = 'task.accept'),
                (SELECT COUNT(*) FROM tasks WHERE state IN ('succeeded', 'failed', 'cancelled', 'dead')),
                (SELECT COUNT(*) FROM tasks WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'dead')),
                (SELECT COUNT(*) FROM audit WHERE action IN ('task.prune', 'task.purge')),
                (SELECT SUM(count) FROM task_figures)",
    )
    .fetch_one(readers)
    .await?;
    Ok(Conservation {
        accepted: accepted.unsigned_abs(),
        terminal: terminal.unsigned_abs(),
        held: held.unsigned_abs(),
        pruned: pruned.unsigned_abs(),
        figured: figured.unsigned_abs(),
    })
}
