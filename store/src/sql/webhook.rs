//! Completion messages: kept until their receiver has taken them.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::{AssertSqlSafe, Error};
use types::{TeamName, Timestamp, WebhookId};

use super::connection::Sql;
use super::query::query;
use super::request::Alone;
use super::row::Row;
use super::transaction::Transaction;
use crate::audit::Actor;
use crate::webhook::{Webhook, WebhookState};

const COLUMNS: &str = "id, task_id, team, url, state, attempts, next_at, error, created_at";

pub(crate) async fn due(sql: &mut dyn Sql, now: Timestamp, limit: u32) -> Result<Vec<Webhook>, Error> {
    // A constant of ours.
    let due = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM webhooks WHERE state = 'pending' AND next_at <= $1 ORDER BY next_at, id LIMIT $2"
    ));
    sql.rows(query(due).bind(now).bind(limit)).await?.iter().map(webhook).collect()
}

pub(crate) async fn of_team(
    sql: &mut dyn Sql,
    team: &TeamName,
    state: Option<WebhookState>,
    limit: u32,
) -> Result<Vec<Webhook>, Error> {
    let only = if state.is_some() { " AND state = $3" } else { "" };
    let listed = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM webhooks WHERE team = $1{only} ORDER BY created_at DESC, id LIMIT $2"
    ));
    let mut listed = query(listed).bind(team).bind(limit);
    if let Some(state) = state {
        listed = listed.bind(state.as_str());
    }
    sql.rows(listed).await?.iter().map(webhook).collect()
}

fn webhook(row: &Row) -> Result<Webhook, Error> {
    Ok(Webhook {
        id: row.parse("id")?,
        task: row.parse("task_id")?,
        team: row.parse("team")?,
        url: row.get("url")?,
        state: row.parse("state")?,
        attempts: row.get("attempts")?,
        next_at: row.get("next_at")?,
        error: row.get("error")?,
        created_at: row.get("created_at")?,
    })
}

/// What became of a message that was sent. One that is not pending any more stays as it is.
pub(crate) enum Sent {
    Delivered,
    Failed { error: String, pause: Option<Duration> },
}

pub(crate) struct Record {
    pub(crate) id: WebhookId,
    pub(crate) sent: Sent,
}

#[async_trait]
impl Alone for Record {
    type Answer = ();

    const DOING: &'static str = "write what became of a message";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let record = match &self.sent {
            Sent::Delivered => query(
                "UPDATE webhooks SET state = 'delivered', next_at = NULL, error = NULL WHERE id = $1 AND state = 'pending'",
            )
            .bind(self.id.as_str()),
            Sent::Failed { error, pause } => query(
                "UPDATE webhooks SET state = $2, attempts = attempts + 1, error = $3, next_at = $4
                 WHERE id = $1 AND state = 'pending'",
            )
            .bind(self.id.as_str())
            .bind(if pause.is_some() { WebhookState::Pending } else { WebhookState::Dead }.as_str())
            .bind(error)
            .bind(pause.map(|pause| tx.now.after(pause))),
        };
        let is_pending = 0 < tx.execute(record).await?;
        if let Sent::Failed { error, pause: None } = &self.sent
            && is_pending
        {
            tx.audit(&Actor::system(), "webhook.give_up", self.id.as_str(), json!({ "error": error }));
        }
        Ok(())
    }
}

pub(crate) struct Retry {
    pub(crate) team: TeamName,
    pub(crate) id: WebhookId,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for Retry {
    type Answer = bool;

    const DOING: &'static str = "send a message again";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
        let retry = query(
            "UPDATE webhooks SET state = 'pending', attempts = 0, next_at = $3
             WHERE id = $1 AND team = $2 AND state = 'dead'",
        )
        .bind(self.id.as_str())
        .bind(&self.team)
        .bind(tx.now);
        let is_retried = 0 < tx.execute(retry).await?;
        if is_retried {
            tx.audit(&self.actor, "webhook.retry", self.id.as_str(), json!({}));
        }
        Ok(is_retried)
    }
}
