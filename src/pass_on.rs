//! The OpenAI routes of models behind HTTP: a request goes on to its model's server, and the answer comes back as it is
//! written. Decides nothing about either; who leaves is gone there, too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use config::{ModelSource, RemoteKind, RemoteModel, TalonConfig};
use futures::future::join_all;
use inference::{ReplyError, Usage};
use inference_server::Refusal;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;
use utoipa_axum::router::OpenApiRouter;

use crate::failure::{Failure, with_causes};
use crate::models::api_key;

/// The largest body; a model's server has a limit of its own.
const MAX_BODY_BYTES: usize = 8 << 20;
/// More than any interface has: what has many is no request, and would take much memory.
const MAX_FIELDS: usize = 256;
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
    fn model_of(&self, body: &Fields<'_>) -> Result<(String, &Remote), Refusal> {
        let named = body.0.get("model").and_then(|model| serde_json::from_str(model.get()).ok());
        match (named, self.models.first_key_value()) {
            (Some(Value::String(name)), _) => self.model(&name).map(|model| (name, model)),
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
    let mut body: Fields<'_> = serde_json::from_slice(&body)
        .map_err(|error| Refusal::unreadable(format!("the body is no JSON object: {error}")))?;
    let (name, remote) = on.model_of(&body)?;
    let at = |why: String| format!("{name} at {}: {why}", remote.spec.url);
    let model = to_raw_value(&remote.spec.model).map_err(|error| Refusal::unreadable(error.to_string()))?;
    body.0.insert("model".to_owned(), &model);

    let left = deadline.saturating_duration_since(Instant::now());
    let request = remote.request(reqwest::Method::POST, path).json(&body.0).timeout(left + SLACK);
    let response = with_extensions(request, remote, &head.headers, left).send().await.map_err(|error| {
        let reply = match error.is_timeout() && !error.is_connect() {
            true => ReplyError::Deadline { usage: Usage::default() },
            false => ReplyError::Unavailable(at(with_causes(&error.without_url()))),
        };
        Refusal::of_reply(reply, "messages")
    })?;
    let status = response.status();
    if is_about_this_server(status) {
        warn!(model = name, url = remote.spec.url, %status, "a model's server turns this one away; look at url and api_key_env");
        return Err(Refusal::turned_away(format!(
            "the server of {name} turns this one away ({status}); tell its operator"
        )));
    }
    let mut answer = status.into_response();
    for name in ANSWERED {
        if let Some(value) = response.headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    // Dropped when the caller leaves, and with it the connection to the model's server.
    *answer.body_mut() = Body::from_stream(response.bytes_stream());
    Ok(answer)
}

/// Whether an answer is about how this server asks, and not about what its caller asks.
fn is_about_this_server(status: StatusCode) -> bool {
    let of_keys = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::PROXY_AUTHENTICATION_REQUIRED];
    status.is_redirection() || of_keys.contains(&status)
}

/// A body's fields as they are written: to parse a body of many small numbers would take many times its size.
struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(Fields)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = BTreeMap<String, &'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            if fields.len() == MAX_FIELDS {
                return Err(A::Error::custom(format_args!("it has more than {MAX_FIELDS} fields")));
            }
            fields.insert(name, value);
        }
        Ok(fields)
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fields(body: &str) -> Result<String, String> {
        let fields: Fields<'_> = serde_json::from_str(body).map_err(|error| error.to_string())?;
        serde_json::to_string(&fields.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_body_goes_on_as_it_is_written() {
        let body = r#"{"messages":[{"z": 1.0, "a":"\u00e9"}],"seed":18446744073709551617}"#;
        assert_eq!(fields(body).unwrap(), body);
        assert!(fields("[1]").unwrap_err().contains("a JSON object"));
    }

    #[test]
    fn a_body_of_very_many_fields_is_refused() {
        let body: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("\"{n}\":0")).collect();
        assert!(fields(&format!("{{{}}}", body.join(","))).unwrap_err().contains("256 fields"));
    }

    #[test]
    fn what_a_models_server_thinks_of_this_one_is_no_answer_to_the_caller() {
        for (status, expected) in
            [(200, false), (302, true), (400, false), (401, true), (403, true), (407, true), (429, false)]
        {
            assert_eq!(is_about_this_server(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }
}
