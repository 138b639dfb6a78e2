//! Tells those who asked for it that a task has ended: signed as Standard Webhooks has it, until they have heard it or the
//! tries are spent. A message may be heard twice; its id says so.

mod signature;
mod silence;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::WebhookConfig;
use core_api::TaskView;
use futures::StreamExt;
use prometheus::{IntCounterVec, Opts, Registry};
use reqwest::{StatusCode, Url};
use serde_json::json;
use store::{Next, RetryPolicy, Store, StoreError, Webhook};
use tokio::time::Instant;
use tracing::{debug, warn};
use types::Timestamp;
use worker::Egress;

use super::{Duty, Progress, Trouble};
use crate::failure::{Failure, with_causes};
use signature::SigningKey;
use silence::Silence;

/// Messages looked up at a time, and on their way at a time.
const BATCH: u32 = 64;
const CONCURRENCY: usize = 16;
/// A receiver that has not answered by then has not heard it.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long receivers are left alone after a failure: 5 s, 20 s, 80 s … 6 h.
const BACKOFF: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(5),
    multiplier: 4.0,
    ceiling: Duration::from_secs(6 * 60 * 60),
    jitter: 0.2,
    max_retries: 0,
};

/// The duty.
pub(crate) struct Sender {
    store: Arc<dyn Store>,
    egress: Egress,
    /// None when nobody may be told anything.
    key: Option<SigningKey>,
    config: WebhookConfig,
    outcomes: IntCounterVec,
    silence: Mutex<Silence>,
}

/// What became of one try.
#[derive(Debug, PartialEq)]
enum Heard {
    Taken,
    /// Nobody answered.
    Nothing(String),
    /// Another try may do better.
    NotYet(String),
    /// No other try will.
    Never(String),
}

impl Sender {
    pub(crate) fn new(store: Arc<dyn Store>, config: &WebhookConfig, registry: &Registry) -> Result<Self, Failure> {
        let key = if config.allow.is_empty() { None } else { Some(key(config)?) };
        let outcomes = outcomes(registry).map_err(crate::metrics::declared_twice)?;
        let (egress, silence) = (Egress::anywhere(), Mutex::default());
        Ok(Sender { store, egress, key, config: config.clone(), outcomes, silence })
    }

    async fn send(&self, message: Webhook) -> Result<(), StoreError> {
        let (id, to) = (&message.id, origin(&message.url));
        let is_last = self.config.max_attempts <= message.attempts + 1;
        // The last try is always made.
        let heard = if !is_last && self.silence().holds(&to, Instant::now()) {
            Heard::NotYet("its receiver did not answer when it was told something else".to_owned())
        } else {
            self.tell(&message).await?
        };
        if let Heard::Nothing(_) = heard {
            self.silence().note(to.clone(), Instant::now());
        }
        let outcome = match heard {
            Heard::Taken => {
                self.store.webhook_delivered(id).await?;
                "delivered"
            }
            Heard::Nothing(why) | Heard::NotYet(why) if !is_last => {
                debug!(%id, to, why, "a message was not taken; trying again later");
                let policy = RetryPolicy { max_retries: u32::MAX, ..BACKOFF };
                let pause = match policy.after(message.attempts + 1, rand::random()) {
                    Next::RetryAfter(pause) => pause,
                    Next::Bury => BACKOFF.ceiling,
                };
                self.store.webhook_failed(id, &why, Some(pause)).await?;
                "failed"
            }
            Heard::Nothing(why) | Heard::NotYet(why) | Heard::Never(why) => {
                warn!(%id, to, why, "a message was given up; `talon webhook list` has it");
                self.store.webhook_failed(id, &why, None).await?;
                "dead"
            }
        };
        self.outcomes.with_label_values(&[outcome]).inc();
        Ok(())
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, message: &Webhook) -> Result<Heard, StoreError> {
        let Some(key) = self.key.as_ref().filter(|_| self.config.allows(&message.url)) else {
            return Ok(Heard::Never("webhooks.allow does not name this address any more".to_owned()));
        };
        let Some(task) = self.store.task(message.task).await? else {
            return Ok(Heard::Never("the task was forgotten".to_owned()));
        };
        if !task.state.is_terminal() {
            return Ok(Heard::Never("the task was put back; its next end has a message of its own".to_owned()));
        }
        let (kind, ended) = (format!("task.{}", task.state), message.created_at);
        let body = json!({"type": kind, "timestamp": ended, "data": TaskView::from(task)}).to_string();
        Ok(match Url::parse(&message.url) {
            Ok(url) => self.post(&url, key, message, body).await,
            Err(error) => Heard::Never(error.to_string()),
        })
    }

    async fn post(&self, url: &Url, key: &SigningKey, message: &Webhook, body: String) -> Heard {
        let client = match self.egress.to(url) {
            Ok(client) => client,
            Err(why) => return Heard::Never(why),
        };
        let sent_at = Timestamp::now().as_millis() / 1000;
        let request = client
            .post(url.clone())
            .timeout(TIMEOUT)
            .header("content-type", "application/json")
            .header("webhook-id", message.id.as_str())
            .header("webhook-timestamp", sent_at)
            .header("webhook-signature", key.sign(message.id.as_str(), sent_at, &body))
            .body(body);
        match request.send().await {
            Ok(response) => heard(response.status()),
            Err(error) => Heard::Nothing(with_causes(&error.without_url())),
        }
    }
}

/// Whose address it is. The rest of it may be a secret, and is never logged. Pure.
fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "no URL".to_owned(), |url| url.origin().ascii_serialization())
}

/// What a receiver's answer means. Pure.
fn heard(status: StatusCode) -> Heard {
    match status {
        StatusCode::GONE => Heard::Never("it answered 410 Gone".to_owned()),
        status if status.is_success() => Heard::Taken,
        status => Heard::NotYet(format!("it answered {status}")),
    }
}

/// The secret that the environment has.
fn key(config: &WebhookConfig) -> Result<SigningKey, Failure> {
    let variable = &config.secret_env;
    let make_one = "make one with: echo whsec_$(openssl rand -base64 32)";
    match std::env::var(variable) {
        Ok(text) if !text.trim().is_empty() => SigningKey::parse(text.trim())
            .map_err(|problem| Failure::usage(format!("{variable} is no secret for webhooks: {problem}; {make_one}"))),
        _ => Err(Failure::usage(format!(
            "webhooks.allow names receivers, but {variable} (webhooks.secret_env) is not set; {make_one}"
        ))),
    }
}

fn outcomes(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let about = "Tries to tell that a task has ended, by this process";
    let outcomes = IntCounterVec::new(Opts::new("openclaw_webhooks_total", about), &["outcome"])?;
    registry.register(Box::new(outcomes.clone()))?;
    for outcome in ["delivered", "failed", "dead"] {
        outcomes.with_label_values(&[outcome]);
    }
    Ok(outcomes)
}

impl Duty for Sender {
    const NAME: &'static str = "webhooks";
    const PAUSE: Duration = Duration::from_secs(1);

    async fn once(&mut self) -> Result<Progress, Trouble> {
        let due = self.store.webhooks_due(BATCH).await?;
        let there_may_be_more = due.len() == BATCH as usize;
        let sent: Vec<Result<(), StoreError>> =
            futures::stream::iter(due).map(|message| self.send(message)).buffer_unordered(CONCURRENCY).collect().await;
        sent.into_iter().collect::<Result<(), StoreError>>()?;
        Ok(if there_may_be_more { Progress::More } else { Progress::Done })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_in_an_address_is_not_logged() {
        assert_eq!(origin("https://hooks.example:8443/T0/secret?token=secret"), "https://hooks.example:8443");
        assert_eq!(origin("secret"), "no URL");
    }

    #[test]
    fn only_an_answer_that_says_so_ends_the_tries() {
        assert_eq!(heard(StatusCode::NO_CONTENT), Heard::Taken);
        assert!(matches!(heard(StatusCode::GONE), Heard::Never(_)));
        for status in [301, 307, 400, 401, 404, 429, 500, 503] {
            assert!(matches!(heard(StatusCode::from_u16(status).expect("a status")), Heard::NotYet(_)), "{status}");
        }
    }
}
