//! The OpenAI routes of models behind HTTP: a request goes on to its model's server, and the answer comes back as it is
//! written. Decides nothing about either; who leaves is gone there, too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use config::{ModelSource, RemoteKind, RemoteModel, TalonConfig};
use futures::future::join_all;
use inference::{ReplyError, Usage};
use inference_server::Refusal;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout, timeout_at};
use utoipa_axum::router::OpenApiRouter;

use crate::failure::{Failure, with_causes};
use crate::models::api_key;

/// The largest body; a model's server has a limit of its own.
const MAX_BODY_BYTES: usize = 8 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server may take to say which models it has.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that keeps deadlines itself ends its answer; one that does not is cut off so much later.
const SLACK: Duration = Duration::from_secs(2);

const PRIORITY: &str = "x-talon-priority";
const DEADLINE: &str = "x-talon-deadline-ms";
const CACHE_SALT: &str = "x-talon-cache-salt";
/// What of an answer's head concerns the caller.
const ANSWERED: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CACHE_CONTROL, header::RETRY_AFTER, HeaderName::from_static("x-should-retry")];

/// The routes for every model of the configuration that has a `url`.
pub(crate) fn router(config: &TalonConfig) -> Result<OpenApiRouter, Failure> {
    let mut models = BTreeMap::new();
    for spec in &config.models {
        if let ModelSource::Remote(remote) = &spec.source {
            models.insert(spec.name.clone(), Remote::new(remote).map_err(|failure| failure.about(&spec.name))?);
        }
    }
    let passing = Arc::new(PassOn { models, request_timeout: config.inference.request_timeout });
    let routes = Router::new()
        .route("/v1/chat/completions", post(async |on, request| pass(on, request, "chat/completions").await))
        .route("/v1/completions", post(async |on, request| pass(on, request, "completions").await))
        .route("/v1/models", get(list))
        .route("/v1/models/{id}", get(one))
        .with_state(passing);
    // They are described as those that they lead to.
    let (_, mut document) =
        inference_server::router(BTreeMap::new(), inference_server::Options::default()).split_for_parts();
    document.paths.paths.retain(|path, _| path.starts_with("/v1/"));
    Ok(OpenApiRouter::with_openapi(document).merge(routes.into()))
}

struct PassOn {
    models: BTreeMap<String, Remote>,
    request_timeout: Duration,
}

/// A model's server.
struct Remote {
    http: reqwest::Client,
    spec: RemoteModel,
    key: Option<String>,
}

impl Remote {
    fn new(spec: &RemoteModel) -> Result<Self, Failure> {
        // Fails when it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("talon/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT);
        // Only https needs the system's certificates, which a bare container lacks.
        let builder = if spec.url.starts_with("https:") { builder } else { builder.tls_certs_only([]) };
        let http = builder.build();
        let http =
            http.map_err(|error| Failure::usage(format!("no HTTP client can be made: {}", with_causes(&error))))?;
        Ok(Remote { http, spec: spec.clone(), key: api_key(spec)? })
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/{path}", self.spec.url.trim_end_matches('/')));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The model under the name it has here; without its context where the server does not tell it.
    async fn entry(&self, name: &str) -> Value {
        let mut entry = json!({"id": name, "object": "model", "created": 0, "owned_by": "talon"});
        let told = match self.spec.context_tokens {
            Some(tokens) => Some(json!(tokens)),
            None => timeout(QUESTION_TIMEOUT, self.ask_context()).await.ok().flatten(),
        };
        if let Some(tokens) = told {
            entry["max_model_len"] = tokens;
        }
        entry
    }

    async fn ask_context(&self) -> Option<Value> {
        let listed: Value = self.request(reqwest::Method::GET, "models").send().await.ok()?.json().await.ok()?;
        let found = listed["data"].as_array()?.iter().find(|model| model["id"] == self.spec.model.as_str())?;
        found.get("max_model_len").filter(|tokens| tokens.is_u64()).cloned()
    }
}

impl PassOn {
    fn model(&self, name: &str) -> Result<&Remote, Refusal> {
        let known = || self.models.keys().map(String::as_str).collect::<Vec<_>>();
        self.models.get(name).ok_or_else(|| Refusal::unknown_model(name, &known()))
    }

    /// The model that a body names; the only one where it names none.
    fn model_of(&self, body: &Map<String, Value>) -> Result<(String, &Remote), Refusal> {
        match (body.get("model"), self.models.first_key_value()) {
            (Some(Value::String(name)), _) => Ok((name.clone(), self.model(name)?)),
            (None | Some(Value::Null), Some((name, only))) if self.models.len() == 1 => Ok((name.clone(), only)),
            _ => Err(Refusal::invalid("model", "missing_parameter", "name a model; /v1/models lists them")),
        }
    }

    /// What is left of a request's time: as its caller says, and no longer than any may take.
    fn patience(&self, headers: &HeaderMap) -> Result<Duration, Refusal> {
        let Some(given) = headers.get(DEADLINE) else { return Ok(self.request_timeout) };
        match given.to_str().ok().and_then(|text| text.parse().ok()) {
            Some(millis @ 1..) => Ok(self.request_timeout.min(Duration::from_millis(millis))),
            Some(0) | None => {
                let message = format!("the header {DEADLINE} is no number of milliseconds from 1 on");
                Err(Refusal::invalid(DEADLINE, "invalid_value", message))
            }
        }
    }
}

async fn list(State(on): State<Arc<PassOn>>) -> Json<Value> {
    let entries = join_all(on.models.iter().map(|(name, remote)| remote.entry(name))).await;
    Json(json!({"object": "list", "data": entries}))
}

async fn one(State(on): State<Arc<PassOn>>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(on.model(&name)?.entry(&name).await))
}

async fn pass(State(on): State<Arc<PassOn>>, request: Request, path: &str) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let patience = on.patience(&head.headers)?;
    let deadline = Instant::now() + patience;
    let body = match timeout_at(deadline, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Refusal::large_body()),
        Err(_) => return Err(Refusal::slow_body(patience)),
    };
    let mut body: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|error| Refusal::unreadable(format!("the body is no JSON object: {error}")))?;
    let (name, remote) = on.model_of(&body)?;
    let at = |why: String| format!("{name} at {}: {why}", remote.spec.url);
    body.insert("model".to_owned(), remote.spec.model.clone().into());

    let left = deadline.saturating_duration_since(Instant::now());
    let request = remote.request(reqwest::Method::POST, path).json(&body).timeout(left + SLACK);
    let response = with_extensions(request, remote, &head.headers, left).send().await.map_err(|error| {
        let reply = match error.is_timeout() && !error.is_connect() {
            true => ReplyError::Deadline { usage: Usage::default() },
            false => ReplyError::Unavailable(at(with_causes(&error.without_url()))),
        };
        Refusal::of_reply(reply, "messages")
    })?;
    let mut answer = response.status().into_response();
    for name in ANSWERED {
        if let Some(value) = response.headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    // Dropped when the caller leaves, and with it the connection to the model's server.
    *answer.body_mut() = Body::from_stream(response.bytes_stream());
    Ok(answer)
}

/// What another Talon is told beyond OpenAI's interface.
fn with_extensions(
    request: reqwest::RequestBuilder,
    remote: &Remote,
    headers: &HeaderMap,
    left: Duration,
) -> reqwest::RequestBuilder {
    if remote.spec.kind == RemoteKind::OpenAi {
        return request;
    }
    let mut request = request.header(DEADLINE, left.as_millis().max(1).to_string());
    for name in [PRIORITY, CACHE_SALT] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value.clone());
        }
    }
    request
}
