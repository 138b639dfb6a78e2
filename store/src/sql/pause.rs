//! Pauses: what no one opens for now.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;

use super::connection::Sql;
use super::query::query;
use super::request::Alone;
use super::transaction::Transaction;
use crate::audit::Actor;
use crate::controls::{Pause, Scope};

pub(crate) struct Begin {
    pub(crate) scope: Scope,
    pub(crate) reason: String,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for Begin {
    type Answer = ();

    const DOING: &'static str = "pause";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let scope = self.scope.to_string();
        tx.execute(
            query(
                "INSERT INTO pauses (scope, reason, actor, since) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (scope) DO UPDATE SET reason = $2, actor = $3, since = $4",
            )
            .bind(&scope)
            .bind(&self.reason)
            .bind(self.actor.as_str())
            .bind(tx.now),
        )
        .await?;
        tx.audit(&self.actor, "queue.pause", &scope, json!({ "reason": self.reason }));
        Ok(())
    }
}

pub(crate) struct Finish {
    pub(crate) scope: Scope,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for Finish {
    type Answer = bool;

    const DOING: &'static str = "resume";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<bool, Error> {
        let scope = self.scope.to_string();
        let was_paused = 0 < tx.execute(query("DELETE FROM pauses WHERE scope = $1").bind(&scope)).await?;
        if was_paused {
            tx.audit(&self.actor, "queue.resume", &scope, json!({}));
        }
        Ok(was_paused)
    }
}

pub(crate) async fn pauses(sql: &mut dyn Sql) -> Result<Vec<Pause>, Error> {
    let rows = sql.rows(query("SELECT scope, reason, actor, since FROM pauses ORDER BY since, scope")).await?;
    rows.iter()
        .map(|row| {
            Ok(Pause {
                scope: row.parse("scope")?,
                reason: row.get("reason")?,
                by: Actor::new(row.get::<String>("actor")?),
                since: row.get("since")?,
            })
        })
        .collect()
}

/// What is paused now.
pub(crate) async fn paused(tx: &mut Transaction<'_>) -> Result<Vec<Scope>, Error> {
    tx.rows(query("SELECT scope FROM pauses")).await?.iter().map(|row| row.parse("scope")).collect()
}
