//! Keys and teams, each verb from its own file.

use async_trait::async_trait;
use types::ApiKeyId;

use super::{Backend, SqlStore, keys, teams};
use crate::access::{Access, ApiKey, NewApiKey, Team};
use crate::audit::Actor;
use crate::error::StoreError;

#[allow(private_bounds, reason = "which databases there are is a matter of this crate")]
#[async_trait]
impl<B: Backend> Access for SqlStore<B> {
    async fn create_key(&self, key: NewApiKey, actor: &Actor) -> Result<ApiKey, StoreError> {
        self.writer.write(keys::CreateKey { key, actor: actor.clone() }).await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.during("read keys", async { keys::keys(&mut *self.reader().await?).await }).await
    }

    async fn key_by_digest(&self, sha256: &str) -> Result<Option<ApiKey>, StoreError> {
        self.during("read a key", async { keys::key_by_digest(&mut *self.reader().await?, sha256).await }).await
    }

    async fn revoke_key(&self, id: &ApiKeyId, actor: &Actor) -> Result<Option<ApiKey>, StoreError> {
        self.writer.write(keys::RevokeKey { id: id.clone(), actor: actor.clone() }).await
    }

    async fn teams(&self) -> Result<Vec<Team>, StoreError> {
        self.during("read teams", async { teams::teams(&mut *self.reader().await?).await }).await
    }

    async fn put_team(&self, team: Team, actor: &Actor) -> Result<(), StoreError> {
        self.writer.write(teams::PutTeam { team, actor: actor.clone() }).await
    }
}
