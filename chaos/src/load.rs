//! The clients of a seed: each submits its task when its time has come, and remembers what it was told.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use types::Timestamp;

use crate::client::{Answer, PAUSE, Rest};
use crate::engine::input;
use crate::plan::{Client, KEY_LIMIT, PlannedTask};

/// What a client knows of its task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Submission {
    /// The id that it was given with a 202.
    pub(crate) accepted: Option<String>,
    /// Requests without an answer.
    pub(crate) doubts: u32,
    /// An answer that nobody expects.
    pub(crate) refused: Option<String>,
    /// A cancellation was asked for, whether or not it was heard.
    pub(crate) cancels: bool,
}

/// Submits all tasks of a plan; done when every client has its answer, or has given up, or `patience` is over.
pub(crate) async fn submit_all(rest: &Rest, tasks: &[PlannedTask], seed: u64, patience: Duration) -> Vec<Submission> {
    let begun = Instant::now();
    let rest = Arc::new(rest.clone());
    let clients = tasks.iter().cloned().enumerate().map(|(number, task)| {
        let rest = rest.clone();
        tokio::spawn(async move {
            sleep_until(begun + task.at).await;
            timeout_at(begun + patience, submit(&rest, number, &task, seed)).await.unwrap_or_else(|_| unanswered())
        })
    });
    join_all(clients).await.into_iter().map(Result::unwrap).collect()
}

/// Of a client that was still asking when patience ended.
fn unanswered() -> Submission {
    Submission {
        refused: Some("no answer, long after all was calm".to_owned()),
        cancels: true,
        ..Submission::default()
    }
}

async fn submit(rest: &Rest, number: usize, task: &PlannedTask, seed: u64) -> Submission {
    let mut known = Submission::default();
    let (body, key) = (body(number, task), format!("{seed}-{number}"));
    loop {
        match rest.ask(Method::POST, "/v1/tasks", Some(&key), Some(&body)).await {
            Answer::Said(StatusCode::ACCEPTED, task) => {
                known.accepted = task["id"].as_str().map(str::to_owned);
                break;
            }
            Answer::Said(status, said) => {
                known.refused = Some(format!("{status}: {said}"));
                return known;
            }
            Answer::Doubt => known.doubts += 1,
        }
        if task.client == Client::GivesUp {
            return known;
        }
        sleep(PAUSE).await;
    }
    if let (Some(after), Some(id)) = (task.cancelled_after, &known.accepted) {
        sleep(after).await;
        known.cancels = true;
        // 409 when it has ended.
        rest.insist(Method::POST, &format!("/v1/tasks/{id}/cancel"), None, None).await;
    }
    known
}

/// The same for every try: a moment that differs would be another request under the same key.
fn body(number: usize, task: &PlannedTask) -> Value {
    let mut body = json!({"agent": "scripted", "input": input(number), "class": task.class});
    if let Some(delay) = task.delay {
        body["due_at"] = json!(Timestamp::now().after(delay));
    }
    if let Some(deadline) = task.deadline {
        body["deadline_seconds"] = json!(deadline.as_secs());
    }
    if let Some(key) = task.key {
        body["concurrency_key"] = json!(format!("key-{key}"));
        body["concurrency_limit"] = json!(KEY_LIMIT);
    }
    body
}
