//! A server on a port of its own, merged into a larger router as the binary does it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use inference::backend::Backend;
use inference::{ChatModel, EngineConfig, EngineMetrics, Model};
use inference_server::Options;
use prometheus::Registry;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::scripted::{Pass, Script};
use crate::sse;

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) model: ChatModel,
    pub(crate) metrics: Registry,
}

/// Longer than any test.
pub(crate) const PATIENT: Options =
    Options { request_timeout: Duration::from_secs(3600), keep_alive: Duration::from_secs(3600) };

pub(crate) async fn world() -> World {
    World::new(EngineConfig::default(), PATIENT).await
}

/// The bundled model.
pub(crate) fn pocket() -> Model {
    Model::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/pocket/pocket.gguf")).unwrap()
}

impl World {
    pub(crate) async fn new(config: EngineConfig, options: Options) -> World {
        World::of(pocket(), config, options).await
    }

    /// Everything of the bundled model but what computes, one token at a time.
    pub(crate) async fn with_backend(backend: impl Backend + 'static, config: EngineConfig, options: Options) -> World {
        let config = EngineConfig { max_draft_tokens: 0, ..config };
        World::of(pocket().with_backend(Box::new(backend)), config, options).await
    }

    async fn of(model: Model, config: EngineConfig, options: Options) -> World {
        let metrics = Registry::new();
        let model = ChatModel::start(model, config, EngineMetrics::register(&metrics).unwrap()).unwrap();
        let routes = inference_server::router(BTreeMap::from([("pocket".to_owned(), model.clone())]), options);
        let router = Router::new().fallback(|| async { StatusCode::IM_A_TEAPOT }).merge(routes);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        World { address, url: format!("http://{address}"), client: client(), model, metrics }
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    pub(crate) async fn ask(&self, body: &Value) -> Response {
        self.post("/v1/chat/completions").json(body).send().await.unwrap()
    }

    /// A chat that has to be answered.
    pub(crate) async fn complete(&self, body: &Value) -> Value {
        answer(self.ask(body).await).await
    }

    /// What another route has to answer.
    pub(crate) async fn answer(&self, path: &str, body: &Value) -> Value {
        answer(self.post(path).json(body).send().await.unwrap()).await
    }

    /// The chunks of a stream that has to end well, without its `[DONE]`.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> Vec<Value> {
        let response = self.post(path).json(body).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        sse::chunks(&response.text().await.unwrap())
    }

    /// A refusal that has to come: its status and its error.
    pub(crate) async fn refuse(&self, body: &Value) -> (u16, Value) {
        refusal(self.ask(body).await).await
    }

    /// A refusal of another route.
    pub(crate) async fn refuse_at(&self, path: &str, body: &Value) -> (u16, Value) {
        refusal(self.post(path).json(body).send().await.unwrap()).await
    }

    /// One pass of a scripted backend, once there is something to compute, and time for those whom it serves.
    pub(crate) async fn pass(&self, script: &Script) {
        let before = self.model.handle().stats().steps;
        script.send(Pass::Works).unwrap();
        until(|| self.model.handle().stats().steps > before || before > 0 && self.is_at_rest()).await;
        self.client.get(format!("{}/v1/models", self.url)).send().await.unwrap();
    }

    /// Passes until it is so.
    pub(crate) async fn pass_until(&self, script: &Script, is_so: impl Fn() -> bool) {
        for _ in 0..2000 {
            if is_so() {
                return;
            }
            self.pass(script).await;
        }
        panic!("it did not come within 2,000 passes");
    }

    /// How many requests ended in this way.
    pub(crate) fn ended(&self, finish: &str) -> f64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == "openclaw_engine_request_success_total").unwrap();
        let counter = family.get_metric().iter().find(|metric| metric.get_label()[0].value() == finish).unwrap();
        counter.get_counter().get_value()
    }

    /// Whether the engine has nothing to do.
    pub(crate) fn is_at_rest(&self) -> bool {
        let stats = self.model.handle().stats();
        stats.running + stats.waiting == 0
    }
}

/// Looks again and again, while others work, until it is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

async fn answer(response: Response) -> Value {
    let (status, body) = (response.status(), response.json::<Value>().await.unwrap());
    assert_eq!(status, 200, "{body}");
    body
}

pub(crate) async fn refusal(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let error = &body["error"];
    let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["message", "type", "param", "code"], "{body}");
    (status, error.clone())
}

pub(crate) fn client() -> Client {
    // Fails when it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// A request with an answer that ends whatever the model wants.
pub(crate) fn request() -> Value {
    json!({
        "model": "pocket",
        "messages": [{ "role": "system", "content": "Help." }, { "role": "user", "content": "Do it." }],
        "response_format": { "type": "json_schema", "json_schema": { "name": "answer", "schema": schema() } },
        "seed": 7,
        "max_tokens": 200,
    })
}

pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "zone": { "type": "string", "maxLength": 5 }, "open": { "type": "boolean" } },
        "required": ["zone", "open"],
        "additionalProperties": false,
    })
}

/// A request that goes on for as long as the context lasts: nothing but its grammar's one very long list may come.
pub(crate) fn endless() -> Value {
    let schema =
        json!({ "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 9 }, "minItems": 5000 });
    json!({
        "model": "pocket",
        "messages": [{ "role": "user", "content": "Count." }],
        "response_format": { "type": "json_schema", "json_schema": { "name": "numbers", "schema": schema } },
        "max_tokens": 5000,
    })
}

pub(crate) fn tool() -> Value {
    named_tool("weigh")
}

pub(crate) fn named_tool(name: &str) -> Value {
    json!({
        "type": "function",
        "function": {
            "name": name,
            "description": "Weighs something.",
            "parameters": {
                "type": "object",
                "properties": { "count": { "type": "integer", "minimum": 1, "maximum": 99 } },
                "required": ["count"],
                "additionalProperties": false,
            },
        },
    })
}

/// `request` with `changes` in it; null takes a field away.
pub(crate) fn with(changes: &Value) -> Value {
    changed(request(), changes)
}

/// `body` with `changes` in it; null takes a field away.
pub(crate) fn changed(mut body: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => body.as_object_mut().unwrap().remove(key),
            value => body.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    body
}
