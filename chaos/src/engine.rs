//! The model and the tool that the agents use: answers by script, and an account of what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::plan::{PlannedTask, Script};

/// A running engine.
pub(crate) struct Engine {
    pub(crate) url: String,
    effects: Arc<Effects>,
}

/// What the tool was told, by task and number of the call, with every `Idempotency-Key` that came with it.
pub(crate) type Effects = Mutex<BTreeMap<(usize, u64), BTreeSet<String>>>;

struct Shared {
    scripts: Vec<Script>,
    /// How often a task's model was asked.
    asked: Mutex<BTreeMap<usize, u32>>,
    effects: Arc<Effects>,
}

impl Engine {
    pub(crate) async fn start(tasks: &[PlannedTask]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let effects = Arc::new(Effects::default());
        let scripts = tasks.iter().map(|task| task.script).collect();
        let shared = Shared { scripts, asked: Mutex::default(), effects: effects.clone() };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/record", post(record))
            .with_state(Arc::new(shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Engine { url, effects }
    }

    pub(crate) fn effects(&self) -> BTreeMap<(usize, u64), BTreeSet<String>> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The text of a task: its number is all that the script needs.
pub(crate) fn input(number: usize) -> String {
    format!("task {number}")
}

/// The answer that a task succeeds with.
pub(crate) fn answer(number: usize) -> String {
    format!("done {number}")
}

async fn complete(State(shared): State<Arc<Shared>>, Json(request): Json<Value>) -> Response {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_by = |role: &'static str| move |message: &&Value| message["role"] == role;
    let task = messages.iter().rfind(is_by("user")).and_then(|message| message["content"].as_str());
    let number = task.and_then(|text| text.split("task ").nth(1)?.split_whitespace().next()?.parse::<usize>().ok());
    let Some((number, script)) = number.and_then(|number| Some((number, *shared.scripts.get(number)?))) else {
        return (StatusCode::BAD_REQUEST, format!("no task is named in {request}")).into_response();
    };
    let asked = {
        let mut asked = shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry(number).or_default();
        *count += 1;
        *count
    };
    tokio::time::sleep(script.thinks).await;
    if asked <= script.refusals {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response();
    }
    if asked <= script.refusals + script.failures {
        return (StatusCode::INTERNAL_SERVER_ERROR, "as the script says").into_response();
    }
    let calls = messages.iter().filter(is_by("tool")).count();
    let (message, finish) = if calls < script.calls as usize {
        let arguments = json!({"task": number, "call": calls + 1}).to_string();
        let call = json!({"id": format!("call{number}x{calls}"), "type": "function",
                          "function": {"name": "record", "arguments": arguments}});
        (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
    } else {
        (json!({"role": "assistant", "content": answer(number)}), "stop")
    };
    let usage = json!({"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25});
    Json(json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}))
        .into_response()
}

async fn record(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(call): Json<Value>) -> Response {
    let (Some(task), Some(number)) = (call["task"].as_u64(), call["call"].as_u64()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or("none").to_owned();
    let mut effects = shared.effects.lock().unwrap_or_else(PoisonError::into_inner);
    effects.entry((task as usize, number)).or_default().insert(key);
    Json(json!({"recorded": true})).into_response()
}
