//! What a transaction has decided and not written yet: many small writes become one statement each.

use sqlx::Error;

use super::connection::Sql;
use super::query::Given;

/// Rows that wait to be written.
pub(crate) struct Pending {
    /// Where tasks go from where they are; a task is in it once at most.
    pub(crate) transitions: Given,
    pub(crate) audit: Given,
    pub(crate) events: Given,
    pub(crate) outbox: Given,
    pub(crate) dead_letters: Given,
    pub(crate) webhooks: Given,
}

/// A column that is NULL keeps what it has, except where a task ends.
const TRANSITION: &str = "UPDATE tasks
    SET state = given.to_state, queued_at = given.queued, lease_until = NULL,
        due_at = COALESCE(given.due, due_at), failures = COALESCE(given.failed, failures),
        losses = COALESCE(given.lost, losses), finished_at = given.finished, stop_reason = given.reason,
        output = given.result,
        error = CASE WHEN given.finished IS NULL THEN COALESCE(given.said, error) ELSE given.said END
    FROM {given} WHERE id = given.task";
const AUDIT: &str = "INSERT INTO audit (at, actor, action, target, details)
    SELECT moment, who, what, target_id, more FROM {given}";
const EVENT: &str = "INSERT INTO task_events (task_id, at, kind, data) SELECT task, moment, what, more FROM {given}";
const OUTBOUND: &str = "INSERT INTO outbox (task_id) SELECT task FROM {given}";
const DEAD_LETTER: &str = "INSERT INTO dead_letters (task_id) SELECT task FROM {given}";
const WEBHOOK: &str = "INSERT INTO webhooks (id, task_id, team, url, state, next_at, created_at)
    SELECT webhook, task, owner, target, 'pending', moment, moment FROM {given}";

impl Pending {
    pub(crate) fn new() -> Self {
        Pending {
            transitions: Given::new(&[
                "task", "to_state", "queued", "due", "failed", "lost", "finished", "reason", "result", "said",
            ]),
            audit: Given::new(&["moment", "who", "what", "target_id", "more"]),
            events: Given::new(&["task", "moment", "what", "more"]),
            outbox: Given::new(&["task"]),
            dead_letters: Given::new(&["task"]),
            webhooks: Given::new(&["webhook", "task", "owner", "target", "moment"]),
        }
    }

    /// Before anything else looks at tasks.
    pub(crate) async fn write_transitions(&mut self, sql: &mut dyn Sql) -> Result<(), Error> {
        write(sql, &mut self.transitions, TRANSITION).await
    }

    pub(crate) async fn write(&mut self, sql: &mut dyn Sql) -> Result<(), Error> {
        self.write_transitions(sql).await?;
        write(sql, &mut self.audit, AUDIT).await?;
        write(sql, &mut self.events, EVENT).await?;
        write(sql, &mut self.outbox, OUTBOUND).await?;
        write(sql, &mut self.dead_letters, DEAD_LETTER).await?;
        write(sql, &mut self.webhooks, WEBHOOK).await
    }
}

async fn write(sql: &mut dyn Sql, rows: &mut Given, text: &'static str) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = std::mem::replace(rows, Given::new(rows.columns));
    sql.execute(rows.query(text)).await?;
    Ok(())
}
