//! Who may ask: teams and their API keys.

use async_trait::async_trait;
use serde::Serialize;
use types::{ApiKeyId, Role, TeamName, Timestamp};

use crate::audit::Actor;
use crate::error::StoreError;

/// Keys and teams. A key is known by its digest alone; the key itself is never kept.
#[async_trait]
pub trait Access: Send + Sync + 'static {
    /// Keeps a new key, and makes its team when that is new.
    async fn create_key(&self, key: NewApiKey, actor: &Actor) -> Result<ApiKey, StoreError>;

    /// Every key, oldest first: revoked and expired ones too.
    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// The key with this digest. Revoked and expired ones too: the caller looks.
    async fn key_by_digest(&self, sha256: &str) -> Result<Option<ApiKey>, StoreError>;

    /// Revokes a key; a revoked one stays as it is. `None`: there is no such key.
    async fn revoke_key(&self, id: &ApiKeyId, actor: &Actor) -> Result<Option<ApiKey>, StoreError>;

    /// Every team that was named here, by name. One that was not has weight 1.
    async fn teams(&self) -> Result<Vec<Team>, StoreError>;

    /// Makes a team, or changes its weight.
    async fn put_team(&self, team: Team, actor: &Actor) -> Result<(), StoreError>;
}

/// A key to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// What people and logs call it.
    pub id: ApiKeyId,
    /// Whose tasks it may see.
    pub team: TeamName,
    /// What it may do.
    pub role: Role,
    /// What it is for, in its maker's words.
    pub name: String,
    /// SHA-256 of the whole key, in hexadecimal digits.
    pub sha256: String,
    /// Not good from this moment.
    pub expires_at: Option<Timestamp>,
}

/// A key as it stands, without its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// What people and logs call it.
    pub id: ApiKeyId,
    /// Whose tasks it may see.
    pub team: TeamName,
    /// What it may do.
    pub role: Role,
    /// What it is for, in its maker's words.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Not good from this moment.
    pub expires_at: Option<Timestamp>,
    /// Not good since this moment.
    pub revoked_at: Option<Timestamp>,
}

/// A team, and its share where teams compete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Team {
    /// Its name.
    pub name: TeamName,
    /// 1 to 1000: a team of weight 2 gets twice the tokens of one of weight 1 while both wait.
    pub weight: u32,
}
