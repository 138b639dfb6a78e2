//! Verbs that are not built yet.

use async_trait::async_trait;
use types::{ApiKeyId, TaskId, TeamName, Timestamp, WebhookId};

use super::SqliteStore;
use crate::access::{Access, ApiKey, NewApiKey, Team};
use crate::audit::Actor;
use crate::controls::{
    Controls, DeadLetter, KeyHolder, Leadership, Pause, PlaceInLine, Process, ProcessBeat, Pruned, Retention, Scope,
};
use crate::error::StoreError;
use crate::webhook::{Webhook, WebhookState, Webhooks};

pub(crate) fn unbuilt(doing: &'static str) -> StoreError {
    StoreError::Database { doing, source: sqlx::Error::Protocol("not built yet".to_owned()) }
}

#[async_trait]
impl Access for SqliteStore {
    async fn create_key(&self, _: NewApiKey, _: &Actor) -> Result<ApiKey, StoreError> {
        Err(unbuilt("create_key"))
    }
    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        Err(unbuilt("keys"))
    }
    async fn key_by_digest(&self, _: &str) -> Result<Option<ApiKey>, StoreError> {
        Err(unbuilt("key_by_digest"))
    }
    async fn revoke_key(&self, _: &ApiKeyId, _: &Actor) -> Result<Option<ApiKey>, StoreError> {
        Err(unbuilt("revoke_key"))
    }
    async fn teams(&self) -> Result<Vec<Team>, StoreError> {
        Err(unbuilt("teams"))
    }
    async fn put_team(&self, _: Team, _: &Actor) -> Result<(), StoreError> {
        Err(unbuilt("put_team"))
    }
}

#[async_trait]
impl Controls for SqliteStore {
    async fn pause(&self, _: &Scope, _: &str, _: &Actor) -> Result<(), StoreError> {
        Err(unbuilt("pause"))
    }
    async fn resume(&self, _: &Scope, _: &Actor) -> Result<bool, StoreError> {
        Err(unbuilt("resume"))
    }
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        Err(unbuilt("pauses"))
    }
    async fn beat(&self, _: &ProcessBeat) -> Result<(), StoreError> {
        Err(unbuilt("beat"))
    }
    async fn processes(&self) -> Result<Vec<Process>, StoreError> {
        Err(unbuilt("processes"))
    }
    async fn lead(&self) -> Result<Leadership, StoreError> {
        Err(unbuilt("lead"))
    }
    async fn prune(&self, _: &Retention, _: u32) -> Result<Pruned, StoreError> {
        Err(unbuilt("prune"))
    }
    async fn unmirrored(&self, _: u32) -> Result<Vec<DeadLetter>, StoreError> {
        Err(unbuilt("unmirrored"))
    }
    async fn mirrored(&self, _: &[i64]) -> Result<(), StoreError> {
        Err(unbuilt("mirrored"))
    }
    async fn running_keyed(&self) -> Result<Vec<KeyHolder>, StoreError> {
        Err(unbuilt("running_keyed"))
    }
    async fn place_in_line(&self, _: TaskId) -> Result<Option<PlaceInLine>, StoreError> {
        Err(unbuilt("place_in_line"))
    }
}

#[async_trait]
impl Webhooks for SqliteStore {
    async fn webhooks_due(&self, _: u32) -> Result<Vec<Webhook>, StoreError> {
        Err(unbuilt("webhooks_due"))
    }
    async fn webhook_delivered(&self, _: &WebhookId) -> Result<(), StoreError> {
        Err(unbuilt("webhook_delivered"))
    }
    async fn webhook_failed(&self, _: &WebhookId, _: &str, _: Option<Timestamp>) -> Result<(), StoreError> {
        Err(unbuilt("webhook_failed"))
    }
    async fn webhooks(&self, _: &TeamName, _: Option<WebhookState>, _: u32) -> Result<Vec<Webhook>, StoreError> {
        Err(unbuilt("webhooks"))
    }
    async fn retry_webhook(&self, _: &TeamName, _: &WebhookId, _: &Actor) -> Result<bool, StoreError> {
        Err(unbuilt("retry_webhook"))
    }
}
