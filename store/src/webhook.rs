//! Completion messages: kept here until their receiver has taken them, sent elsewhere.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use types::{InvalidName, TaskId, TeamName, Timestamp, WebhookId};

use crate::audit::Actor;
use crate::error::StoreError;

/// Completion messages. One is written in the transaction that ends a task with a `callback_url`.
#[async_trait]
pub trait Webhooks: Send + Sync + 'static {
    /// Pending messages whose time has come, the most overdue first; at most `limit`.
    async fn webhooks_due(&self, limit: u32) -> Result<Vec<Webhook>, StoreError>;

    /// Its receiver has taken it.
    async fn webhook_delivered(&self, id: &WebhookId) -> Result<(), StoreError>;

    /// Its receiver did not take it: due again after `pause`, or dead without one.
    async fn webhook_failed(&self, id: &WebhookId, error: &str, pause: Option<Duration>) -> Result<(), StoreError>;

    /// A team's messages, newest first; at most `limit`.
    async fn webhooks(
        &self,
        team: &TeamName,
        state: Option<WebhookState>,
        limit: u32,
    ) -> Result<Vec<Webhook>, StoreError>;

    /// Makes a dead message of the team due again; says whether there was one.
    async fn retry_webhook(&self, team: &TeamName, id: &WebhookId, actor: &Actor) -> Result<bool, StoreError>;
}

/// A completion message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Its id; its receiver drops repetitions by it.
    pub id: WebhookId,
    /// The task that ended.
    pub task: TaskId,
    /// The task's team.
    pub team: TeamName,
    /// Where it goes.
    pub url: String,
    /// Where it stands.
    pub state: WebhookState,
    /// Times it was sent in vain.
    pub attempts: u32,
    /// When it is due; only while pending.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When the task ended.
    pub created_at: Timestamp,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookState {
    /// To be sent.
    Pending,
    /// Taken.
    Delivered,
    /// Given up.
    Dead,
}

impl WebhookState {
    /// Every state.
    pub const ALL: [WebhookState; 3] = [WebhookState::Pending, WebhookState::Delivered, WebhookState::Dead];

    /// The name in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            WebhookState::Pending => "pending",
            WebhookState::Delivered => "delivered",
            WebhookState::Dead => "dead",
        }
    }
}

impl std::str::FromStr for WebhookState {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        WebhookState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| InvalidName {
            what: "webhook state",
            given: text.to_owned(),
            rule: "one of pending, delivered, dead",
        })
    }
}
