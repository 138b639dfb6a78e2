//! An OpenAI-compatible server on this host that answers by a script and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use config::{RemoteKind, RemoteModel};
use serde_json::{Value, json};
use worker::RemoteChat;

use crate::tool::serve;

/// One request of a turn.
#[derive(Clone)]
pub struct Asked {
    pub headers: HeaderMap,
    pub body: Value,
}

/// Ends with the test's runtime.
pub struct OpenAi {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl OpenAi {
    /// Answers the nth request of a turn, from 0; knows the model `large` of 4,096 tokens, and counts 77 of them in any
    /// conversation.
    pub async fn start<R: IntoResponse>(answer: impl Fn(usize) -> R + Send + Sync + 'static) -> OpenAi {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, answer) = (asked.clone(), Arc::new(answer));
        let complete = move |headers: HeaderMap, Json(body): Json<Value>| {
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push(Asked { headers, body });
                seen.len() - 1
            };
            let response: Response = answer(number).into_response();
            std::future::ready(response)
        };
        let models = json!({"data": [{"id": "large", "max_model_len": 4096}, {"id": "silent"}]});
        let router = Router::new()
            .route("/v1/models", get(move || std::future::ready(Json(models.clone()))))
            .route("/tokenize", post(|| std::future::ready(Json(json!({"count": 77})))))
            .route("/v1/chat/completions", post(complete));
        OpenAi { url: format!("http://{}/v1", serve(router).await), asked }
    }

    /// Its model, as the configuration says.
    pub fn spec(&self, kind: RemoteKind) -> RemoteModel {
        let (url, model) = (self.url.clone(), "large".to_owned());
        RemoteModel { url, model, kind, api_key_env: None, context_tokens: None }
    }

    pub async fn connect(&self, kind: RemoteKind) -> RemoteChat {
        RemoteChat::connect(&self.spec(kind), None).await.unwrap()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// A completion with this message.
pub fn completion(message: Value) -> Json<Value> {
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35});
    Json(json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}))
}

/// A completion that says this.
pub fn says(text: &str) -> Json<Value> {
    completion(json!({"role": "assistant", "content": text}))
}

/// A completion that calls a tool.
pub fn calls(name: &str, arguments: Value) -> Json<Value> {
    let function = json!({"name": name, "arguments": arguments.to_string()});
    completion(json!({"content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}))
}
