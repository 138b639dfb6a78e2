//! From a task as it is asked for to one that the store can accept, or the reason why not.

use std::time::Duration;

use config::WebhookConfig;
use store::{Concurrency, NewTask};
use types::{AgentName, DocumentId, TeamName, Timestamp};

use crate::dto::SubmitTask;
use crate::problem::Problem;
use crate::state::ApiState;

const MAX_KEY_BYTES: usize = 255;
const MAX_URL_BYTES: usize = 2048;
/// A year: longer is a slip, and moments far beyond have no RFC 3339.
const MAX_DEADLINE_SECONDS: u64 = 366 * 24 * 60 * 60;
/// Each is looked up in the store's one writing transaction, and named in the prompt; the schema says so too.
const MAX_DOCUMENTS: usize = 64;
const MAX_CONCURRENCY: u32 = 10_000;
/// What a document counts between teams: a few pages. Its length is not known here.
const DOCUMENT_TOKENS: usize = 2_000;
/// Bytes of usual text for each token.
const TOKEN_BYTES: usize = 4;

impl ApiState {
    /// The task of `team`, as the interface takes it; `idempotency_key` is the one it has if it names none itself.
    ///
    /// # Errors
    /// The problem that its sender is told.
    pub fn task(
        &self,
        team: &TeamName,
        request: SubmitTask,
        idempotency_key: Option<String>,
    ) -> Result<NewTask, Problem> {
        self.known_agent(&request.agent)?;
        let deadline_at = request.deadline_seconds.map(deadline).transpose()?;
        if let (Some(due), Some(deadline)) = (request.due_at, deadline_at)
            && deadline <= due
        {
            let detail = format!("due_at is {due} but the task fails at {deadline}; raise deadline_seconds");
            return Err(Problem::unprocessable("bad_deadline", detail));
        }
        let documents = documents(request.documents)?;
        Ok(NewTask {
            team: team.clone(),
            agent: request.agent,
            class: request.class,
            cost: cost(request.input.as_deref(), documents.len()),
            input: request.input,
            documents,
            idempotency_key: match request.idempotency_key {
                Some(key) => Some(checked_key("idempotency_key", key)?),
                None => idempotency_key,
            },
            due_at: request.due_at,
            deadline_at,
            max_retries: request.max_retries,
            concurrency: concurrency(request.concurrency_key, request.concurrency_limit)?,
            callback_url: request.callback_url.map(|url| callback(&self.settings.webhooks, url)).transpose()?,
        })
    }

    /// A task is only accepted for who can work on it.
    pub(crate) fn known_agent(&self, agent: &AgentName) -> Result<(), Problem> {
        if self.agents.contains_key(agent) {
            return Ok(());
        }
        let known = self.agents.keys().map(AgentName::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        let detail = format!("there is no agent {agent}; this installation has {known}");
        Err(Problem::unprocessable("unknown_agent", detail))
    }
}

/// The key, if it is one; `place` is where it was given.
pub(crate) fn checked_key(place: &str, key: String) -> Result<String, Problem> {
    let is_visible = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_visible && (1..=MAX_KEY_BYTES).contains(&key.len()) {
        return Ok(key);
    }
    let detail = format!("{place} must have 1 to {MAX_KEY_BYTES} visible ASCII characters; a UUID will do");
    Err(Problem::bad_request("bad_idempotency_key", detail))
}

/// Each once, in the order in which they were named.
fn documents(named: Vec<DocumentId>) -> Result<Vec<DocumentId>, Problem> {
    if MAX_DOCUMENTS < named.len() {
        let detail = format!("the task has {} documents but may have {MAX_DOCUMENTS}; split it", named.len());
        return Err(Problem::unprocessable("too_many_documents", detail));
    }
    let mut documents = Vec::with_capacity(named.len());
    for id in named {
        if !documents.contains(&id) {
            documents.push(id);
        }
    }
    Ok(documents)
}

fn deadline(seconds: u64) -> Result<Timestamp, Problem> {
    if (1..=MAX_DEADLINE_SECONDS).contains(&seconds) {
        return Ok(Timestamp::now().after(Duration::from_secs(seconds)));
    }
    let detail = format!("deadline_seconds is {seconds} but must be from 1 to {MAX_DEADLINE_SECONDS}");
    Err(Problem::unprocessable("bad_deadline", detail))
}

fn concurrency(key: Option<String>, limit: Option<u32>) -> Result<Option<Concurrency>, Problem> {
    let bad = |detail| Err(Problem::unprocessable("bad_concurrency", detail));
    match (key, limit.unwrap_or(1)) {
        (None, _) if limit.is_some() => {
            bad("concurrency_limit limits tasks with the same concurrency_key; give that as well".to_owned())
        }
        (None, _) => Ok(None),
        (Some(key), _) if key.is_empty() || MAX_KEY_BYTES < key.len() => {
            bad(format!("concurrency_key has {} bytes but must have 1 to {MAX_KEY_BYTES}", key.len()))
        }
        (Some(_), limit) if !(1..=MAX_CONCURRENCY).contains(&limit) => {
            bad(format!("concurrency_limit is {limit} but must be from 1 to {MAX_CONCURRENCY}"))
        }
        (Some(key), limit) => Ok(Some(Concurrency { key, limit })),
    }
}

fn callback(webhooks: &WebhookConfig, url: String) -> Result<String, Problem> {
    let detail = if MAX_URL_BYTES < url.len() {
        format!("callback_url has {} bytes but may have {MAX_URL_BYTES}", url.len())
    } else if webhooks.allow.is_empty() {
        "callback_url is not taken: this installation allows none (webhooks.allow); ask for the result instead"
            .to_owned()
    } else if !webhooks.allows(&url) {
        let places = webhooks.allow.join(", ");
        format!("callback_url is {url:?} but must be at one of {places}; others have to be added to webhooks.allow")
    } else {
        return Ok(url);
    };
    Err(Problem::unprocessable("callback_not_allowed", detail))
}

/// Estimated tokens.
fn cost(input: Option<&str>, documents: usize) -> u32 {
    let tokens = input.map_or(0, str::len) / TOKEN_BYTES + documents * DOCUMENT_TOKENS;
    u32::try_from(tokens).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_cost_grows_with_what_has_to_be_read() {
        assert_eq!(cost(None, 0), 1);
        assert_eq!(cost(Some(&"x".repeat(4000)), 0), 1000);
        assert_eq!(cost(Some("x"), 3), 6000);
    }

    #[test]
    fn a_concurrency_key_without_a_limit_lets_one_run() {
        let given = |key: &str, limit| concurrency(Some(key.to_owned()), limit);
        assert_eq!(given("k", None).unwrap().unwrap().limit, 1);
        assert_eq!(given("k", Some(7)).unwrap().unwrap().limit, 7);
        assert_eq!(concurrency(None, None), Ok(None));
    }

    #[test]
    fn a_concurrency_that_means_nothing_is_refused() {
        let cases = [(None, Some(1)), (Some(String::new()), None), (Some("k".repeat(256)), None)];
        let limits = [Some(0), Some(10_001)].map(|limit| (Some("k".to_owned()), limit));
        for (key, limit) in cases.into_iter().chain(limits) {
            assert_eq!(concurrency(key, limit).unwrap_err().code, "bad_concurrency");
        }
    }
}
