//! Messages that tell of ended tasks.

use serde::{Deserialize, Serialize};
use store::Webhook;
use types::{TaskId, Timestamp, WebhookId};
use utoipa::ToSchema;

/// A message to a task's `callback_url`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its id; its receiver drops repetitions by it.
    pub id: WebhookId,
    /// The task that ended.
    pub task: TaskId,
    /// Where it goes.
    pub url: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// Times it was sent in vain.
    pub attempts: u32,
    /// When it is sent next; only while pending.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When the task ended.
    pub created_at: Timestamp,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        WebhookView {
            id: webhook.id,
            task: webhook.task,
            url: webhook.url,
            state: webhook.state.as_str().to_owned(),
            attempts: webhook.attempts,
            next_at: webhook.next_at,
            error: webhook.error,
            created_at: webhook.created_at,
        }
    }
}
