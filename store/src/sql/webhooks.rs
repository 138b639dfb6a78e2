//! Completion messages' verbs.

use std::time::Duration;

use async_trait::async_trait;
use types::{TeamName, WebhookId};

use super::{Backend, SqlStore, webhook};
use crate::audit::Actor;
use crate::error::StoreError;
use crate::webhook::{Webhook, WebhookState, Webhooks};

#[allow(private_bounds, reason = "which databases there are is a matter of this crate")]
#[async_trait]
impl<B: Backend> Webhooks for SqlStore<B> {
    async fn webhooks_due(&self, limit: u32) -> Result<Vec<Webhook>, StoreError> {
        let now = self.clock.now();
        self.during("read messages", async { webhook::due(&mut *self.reader().await?, now, limit).await }).await
    }

    async fn webhook_delivered(&self, id: &WebhookId) -> Result<(), StoreError> {
        self.writer.write(webhook::Record { id: id.clone(), sent: webhook::Sent::Delivered }).await
    }

    async fn webhook_failed(&self, id: &WebhookId, error: &str, pause: Option<Duration>) -> Result<(), StoreError> {
        let sent = webhook::Sent::Failed { error: error.to_owned(), pause };
        self.writer.write(webhook::Record { id: id.clone(), sent }).await
    }

    async fn webhooks(
        &self,
        team: &TeamName,
        state: Option<WebhookState>,
        limit: u32,
    ) -> Result<Vec<Webhook>, StoreError> {
        let reading = async { webhook::of_team(&mut *self.reader().await?, team, state, limit).await };
        self.during("read messages", reading).await
    }

    async fn retry_webhook(&self, team: &TeamName, id: &WebhookId, actor: &Actor) -> Result<bool, StoreError> {
        let (team, id, actor) = (team.clone(), id.clone(), actor.clone());
        self.writer.write(webhook::Retry { team, id, actor }).await
    }
}
