//! What readers ask; none of it waits for the writer.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Error};
use types::{AttemptNumber, TaskClass, TaskId, TaskState, Timestamp};

use super::connection::Sql;
use super::query::{Argument, query};
use super::task_row::TASK_COLUMNS;
use crate::audit::{Actor, AuditEntry};
use crate::figures::{Conservation, Figures};
use crate::step::{Event, Step};
use crate::task::{Task, TaskFilter, TaskPage};

pub(crate) async fn task(sql: &mut dyn Sql, task: TaskId) -> Result<Option<Task>, Error> {
    // A constant of ours.
    let select = AssertSqlSafe(format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id = $1"));
    let rows = sql.rows(query(select).bind(task)).await?;
    rows.first().map(Task::try_from).transpose()
}

pub(crate) async fn tasks(
    sql: &mut dyn Sql,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: u32,
) -> Result<TaskPage, Error> {
    let conditions: [(&str, Option<Argument>); 7] = [
        ("team =", filter.team.as_ref().map(Argument::from)),
        ("agent =", filter.agent.as_ref().map(Argument::from)),
        ("state =", filter.state.map(Argument::from)),
        ("class =", filter.class.map(Argument::from)),
        ("stop_reason =", filter.stop_reason.map(Argument::from)),
        ("finished_at <", filter.ended_before.map(Argument::from)),
        ("id <", before.map(Argument::from)),
    ];
    let mut text = format!("SELECT {TASK_COLUMNS} FROM tasks WHERE TRUE");
    let mut arguments = Vec::new();
    for (condition, argument) in conditions {
        if let Some(argument) = argument {
            arguments.push(argument);
            text.push_str(&format!(" AND {condition} ${}", arguments.len()));
        }
    }
    // One more than asked for tells whether there is a next page.
    arguments.push((i64::from(limit) + 1).into());
    text.push_str(&format!(" ORDER BY id DESC LIMIT ${}", arguments.len()));
    // Constants of ours.
    let select = arguments.into_iter().fold(query(AssertSqlSafe(text)), |select, argument| select.bind(argument));
    let rows = sql.rows(select).await?;
    let mut tasks = rows.iter().map(Task::try_from).collect::<Result<Vec<_>, _>>()?;
    let more = limit as usize <= tasks.len().saturating_sub(1);
    tasks.truncate(limit as usize);
    let next = if more { tasks.last().map(|task| task.id) } else { None };
    Ok(TaskPage { tasks, next })
}

pub(crate) async fn events(sql: &mut dyn Sql, task: TaskId, after_seq: i64, limit: u32) -> Result<Vec<Event>, Error> {
    let select =
        query("SELECT seq, at, kind, data FROM task_events WHERE task_id = $1 AND $2 < seq ORDER BY seq LIMIT $3");
    let rows = sql.rows(select.bind(task).bind(after_seq).bind(limit)).await?;
    rows.iter()
        .map(|row| {
            let (seq, at) = (row.get("seq")?, row.get("at")?);
            Ok(Event { seq, task, at, kind: row.parse("kind")?, data: row.json("data")? })
        })
        .collect()
}

pub(crate) async fn steps(sql: &mut dyn Sql, task: TaskId) -> Result<Vec<Step>, Error> {
    let select = query(
        "SELECT attempt, ordinal, kind, started_at, duration_ms, prompt_tokens, completion_tokens, summary
         FROM steps WHERE task_id = $1 ORDER BY ordinal",
    );
    let rows = sql.rows(select.bind(task)).await?;
    rows.iter()
        .map(|row| {
            Ok(Step {
                attempt: AttemptNumber(row.get("attempt")?),
                ordinal: row.get("ordinal")?,
                kind: row.parse("kind")?,
                started_at: row.get("started_at")?,
                duration: Duration::from_millis(row.get("duration_ms")?),
                prompt_tokens: row.get("prompt_tokens")?,
                completion_tokens: row.get("completion_tokens")?,
                summary: row.json("summary")?,
            })
        })
        .collect()
}

pub(crate) async fn audit(sql: &mut dyn Sql, after_seq: i64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
    let select =
        query("SELECT seq, at, actor, action, target, details FROM audit WHERE $1 < seq ORDER BY seq LIMIT $2");
    let rows = sql.rows(select.bind(after_seq).bind(limit)).await?;
    rows.iter()
        .map(|row| {
            Ok(AuditEntry {
                seq: row.get("seq")?,
                at: row.get("at")?,
                actor: Actor::new(row.get::<String>("actor")?),
                action: row.get("action")?,
                target: row.get("target")?,
                details: row.json("details")?,
            })
        })
        .collect()
}

pub(crate) async fn figures(sql: &mut dyn Sql, now: Timestamp) -> Result<Figures, Error> {
    let mut figures = Figures::default();
    let select =
        query("SELECT state, class, CAST(SUM(count) AS BIGINT) AS count FROM task_figures GROUP BY state, class");
    for row in sql.rows(select).await? {
        let (state, class): (TaskState, TaskClass) = (row.parse("state")?, row.parse("class")?);
        figures.tasks[state as usize][class as usize] = row.get("count")?;
    }
    for class in TaskClass::ALL {
        let oldest = query("SELECT MIN(queued_at) AS oldest FROM tasks WHERE state = 'queued' AND class = $1");
        for row in sql.rows(oldest.bind(class)).await? {
            let oldest: Option<Timestamp> = row.get("oldest")?;
            figures.oldest_queued[class as usize] = oldest.map(|oldest| now.since(oldest));
        }
    }
    Ok(figures)
}

pub(crate) async fn conservation(sql: &mut dyn Sql) -> Result<Conservation, Error> {
    // One statement, so that all numbers are of one moment.
    let count = query(
        "SELECT (SELECT COUNT(*) FROM audit WHERE action = 'task.accept') AS accepted,
                (SELECT COUNT(*) FROM tasks WHERE state IN ('succeeded', 'failed', 'cancelled', 'dead')) AS terminal,
                (SELECT COUNT(*) FROM tasks WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'dead')) AS held,
                (SELECT COUNT(*) FROM audit WHERE action IN ('task.prune', 'task.purge')) AS pruned,
                (SELECT CAST(SUM(count) AS BIGINT) FROM task_figures) AS figured",
    );
    let rows = sql.rows(count).await?;
    let row = rows.first().ok_or(Error::RowNotFound)?;
    Ok(Conservation {
        accepted: row.get("accepted")?,
        terminal: row.get("terminal")?,
        held: row.get("held")?,
        pruned: row.get("pruned")?,
        figured: row.get::<Option<u64>>("figured")?.unwrap_or(0),
    })
}
