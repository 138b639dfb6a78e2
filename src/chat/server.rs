//! An OpenAI-compatible server as a partner.

use std::collections::VecDeque;

use config::RemoteModel;
use futures::StreamExt;
use inference::{Message, Usage};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};

use super::partner::{Finish, Piece, Pieces, Turn};
use crate::client::http;
use crate::failure::{Failure, with_causes};
use crate::models::api_key;
use crate::sse::SseData;

/// A model of a server.
pub(super) struct Server {
    http: reqwest::Client,
    url: String,
    model: String,
    key: Option<String>,
    context_tokens: Option<usize>,
}

impl Server {
    /// A server of the configuration.
    pub(super) fn configured(remote: &RemoteModel) -> Result<Self, Failure> {
        let RemoteModel { url, model, context_tokens, .. } = remote.clone();
        let url = url.trim_end_matches('/').to_owned();
        Ok(Server { http: http(&url)?, url, model, key: api_key(remote)?, context_tokens })
    }

    /// The server at `url`, `/v1` if that has no path; its model of that name, or its first one.
    pub(super) async fn find(url: &str, model: Option<&str>, key: Option<&str>) -> Result<Self, Failure> {
        let http = http(url)?;
        let has_path = Url::parse(url).is_ok_and(|url| url.path() != "/");
        let url = format!("{}{}", url.trim_end_matches('/'), if has_path { "" } else { "/v1" });
        let mut server = Server { http, url, model: String::new(), key: key.map(str::to_owned), context_tokens: None };
        let listed: Value = server
            .send(server.http.get(format!("{}/models", server.url)))
            .await?
            .json()
            .await
            .map_err(|error| server.broken(&error))?;
        let models = listed["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = match model {
            Some(name) => models.iter().find(|model| model["id"] == name),
            None => models.first(),
        };
        let Some(found) = found else {
            let names = models.iter().filter_map(|model| model["id"].as_str()).collect::<Vec<_>>().join(", ");
            let asked = model.unwrap_or("any");
            return Err(Failure::usage(format!("{} has no model {asked}; it has: {names}", server.url)));
        };
        server.model = found["id"].as_str().unwrap_or_default().to_owned();
        server.context_tokens = found["max_model_len"].as_u64().and_then(|tokens| tokens.try_into().ok());
        Ok(server)
    }

    pub(super) fn name(&self) -> String {
        format!("{} at {}", self.model, self.url)
    }

    pub(super) fn context_tokens(&self) -> Option<usize> {
        self.context_tokens
    }

    pub(super) async fn ask(&self, turn: Turn) -> Result<Pieces, Failure> {
        let question = self.http.post(format!("{}/chat/completions", self.url)).json(&json!({
            "model": self.model,
            "messages": turn.messages.iter().filter_map(message).collect::<Value>(),
            "temperature": turn.temperature,
            "max_tokens": turn.max_tokens,
            "stream": true,
            "stream_options": {"include_usage": true},
        }));
        let response = self.send(question).await?;
        let arriving = Arriving {
            url: self.url.clone(),
            response,
            data: SseData::default(),
            ready: VecDeque::new(),
            finish: None,
            usage: None,
            has_ended: false,
        };
        let pieces = futures::stream::unfold(arriving, async |mut arriving| {
            let piece = arriving.next().await?;
            Some((piece, arriving))
        });
        Ok(pieces.boxed())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let words = words(&serde_json::from_str(&text).unwrap_or_default()).unwrap_or(text);
        let message = format!("{} answered {status}: {words}", self.url);
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE => Failure::unavailable(message),
            _ => Failure::refused(message),
        })
    }

    fn broken(&self, error: &reqwest::Error) -> Failure {
        broken(&self.url, error)
    }
}

/// A reply on its way.
struct Arriving {
    url: String,
    response: Response,
    data: SseData,
    ready: VecDeque<String>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    has_ended: bool,
}

impl Arriving {
    async fn next(&mut self) -> Option<Result<Piece, Failure>> {
        while !self.has_ended {
            match self.event().await {
                Ok(Some(event)) => {
                    if let Some(text) = self.take_in(&event) {
                        return Some(text.map(Piece::Text));
                    }
                }
                Ok(None) => {
                    self.has_ended = true;
                    let end = self.finish.map(|finish| Piece::End { finish, usage: self.usage });
                    let broke = || Failure::unavailable(format!("the answer of {} broke off", self.url));
                    return Some(end.ok_or_else(broke));
                }
                Err(failure) => {
                    self.has_ended = true;
                    return Some(Err(failure));
                }
            }
        }
        None
    }

    /// The next event's data; `None` at the end.
    async fn event(&mut self) -> Result<Option<String>, Failure> {
        while self.ready.is_empty() {
            let chunk = self.response.chunk().await.map_err(|error| broken(&self.url, &error))?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.ready.extend(self.data.push(&chunk));
        }
        Ok(self.ready.pop_front().filter(|data| data != "[DONE]"))
    }

    /// Keeps what an event says of the end; its text, if it has one.
    fn take_in(&mut self, event: &str) -> Option<Result<String, Failure>> {
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        if let Some(words) = words(&event) {
            self.has_ended = true;
            return Some(Err(Failure::negative(format!("{} gave up: {words}", self.url))));
        }
        let choice = &event["choices"][0];
        match choice["finish_reason"].as_str() {
            None => {}
            Some("length") => self.finish = Some(Finish::Length),
            Some(_) => self.finish = Some(Finish::Stop),
        }
        if event["usage"].is_object() {
            let number = |pointer| event.pointer(pointer).and_then(Value::as_u64).unwrap_or(0) as usize;
            self.usage = Some(Usage {
                prompt_tokens: number("/usage/prompt_tokens"),
                cached_tokens: number("/usage/prompt_tokens_details/cached_tokens"),
                completion_tokens: number("/usage/completion_tokens"),
            });
        }
        choice["delta"]["content"].as_str().filter(|text| !text.is_empty()).map(|text| Ok(text.to_owned()))
    }
}

/// What an error's body says.
fn words(body: &Value) -> Option<String> {
    body.pointer("/error/message").or(body.get("error")).and_then(Value::as_str).map(str::to_owned)
}

fn broken(url: &str, error: &reqwest::Error) -> Failure {
    Failure::unavailable(format!("{url} cannot be asked: {}", with_causes(error)))
}

/// Of what a chat has.
fn message(message: &Message) -> Option<Value> {
    let (role, text) = match message {
        Message::System(text) => ("system", text),
        Message::User(text) => ("user", text),
        Message::Assistant(text) => ("assistant", text),
        Message::ToolCalls(_) | Message::ToolResult { .. } => return None,
    };
    Some(json!({"role": role, "content": text}))
}
