//! API keys, known by their digests.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::ApiKeyId;

use super::connection::Sql;
use super::query::query;
use super::request::Alone;
use super::row::Row;
use super::teams;
use super::transaction::Transaction;
use crate::access::{ApiKey, NewApiKey};
use crate::audit::Actor;

pub(crate) struct CreateKey {
    pub(crate) key: NewApiKey,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for CreateKey {
    type Answer = ApiKey;

    const DOING: &'static str = "keep a key";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<ApiKey, Error> {
        let NewApiKey { id, team, role, name, sha256, expires_at } = &self.key;
        teams::ensure(tx, team).await?;
        tx.execute(
            query(
                "INSERT INTO api_keys (id, team, role, name, sha256, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(id.as_str())
            .bind(team)
            .bind(role.as_str())
            .bind(name)
            .bind(sha256)
            .bind(tx.now)
            .bind(*expires_at),
        )
        .await?;
        let details = json!({ "team": team, "role": role, "name": name, "expires_at": expires_at });
        tx.audit(&self.actor, "key.create", id.as_str(), details);
        Ok(ApiKey {
            id: id.clone(),
            team: team.clone(),
            role: *role,
            name: name.clone(),
            created_at: tx.now,
            expires_at: *expires_at,
            revoked_at: None,
        })
    }
}

pub(crate) struct RevokeKey {
    pub(crate) id: ApiKeyId,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for RevokeKey {
    type Answer = Option<ApiKey>;

    const DOING: &'static str = "revoke a key";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Option<ApiKey>, Error> {
        let revoke = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        if tx.execute(query(revoke).bind(self.id.as_str()).bind(tx.now)).await? == 1 {
            tx.audit(&self.actor, "key.revoke", self.id.as_str(), json!({}));
        }
        let found =
            query("SELECT id, team, role, name, created_at, expires_at, revoked_at FROM api_keys WHERE id = $1");
        tx.rows(found.bind(self.id.as_str())).await?.first().map(key).transpose()
    }
}

pub(crate) async fn keys(sql: &mut dyn Sql) -> Result<Vec<ApiKey>, Error> {
    let all = "SELECT id, team, role, name, created_at, expires_at, revoked_at FROM api_keys ORDER BY created_at, id";
    sql.rows(query(all)).await?.iter().map(key).collect()
}

pub(crate) async fn key_by_digest(sql: &mut dyn Sql, sha256: &str) -> Result<Option<ApiKey>, Error> {
    let found = "SELECT id, team, role, name, created_at, expires_at, revoked_at FROM api_keys WHERE sha256 = $1";
    sql.rows(query(found).bind(sha256)).await?.first().map(key).transpose()
}

fn key(row: &Row) -> Result<ApiKey, Error> {
    Ok(ApiKey {
        id: row.parse("id")?,
        team: row.parse("team")?,
        role: row.parse("role")?,
        name: row.get("name")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
    })
}
