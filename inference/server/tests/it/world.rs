//! A server with the bundled model on a port of its own, merged into a larger router as the binary does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use inference::{ChatModel, EngineConfig, EngineMetrics, Model};
use prometheus::Registry;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) model: ChatModel,
    pub(crate) metrics: Registry,
}

pub(crate) async fn world() -> World {
    World::new(EngineConfig::default()).await
}

/// Longer than any test.
const NO_TIMEOUT: Duration = Duration::from_secs(3600);

impl World {
    pub(crate) async fn new(config: EngineConfig) -> World {
        World::with_timeout(config, NO_TIMEOUT).await
    }

    pub(crate) async fn with_timeout(config: EngineConfig, request_timeout: Duration) -> World {
        let metrics = Registry::new();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/pocket/pocket.gguf");
        let model = ChatModel::start(Model::load(path).unwrap(), config, EngineMetrics::register(&metrics).unwrap());
        let model = model.unwrap();
        let routes = inference_server::router(BTreeMap::from([("pocket".to_owned(), model.clone())]), request_timeout);
        let router = Router::new().fallback(|| async { StatusCode::IM_A_TEAPOT }).merge(routes);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        World { url, client: client(), model, metrics }
    }

    pub(crate) async fn ask(&self, body: &Value) -> Response {
        self.client.post(format!("{}/v1/chat/completions", self.url)).json(body).send().await.unwrap()
    }

    /// A completion that has to come.
    pub(crate) async fn complete(&self, body: &Value) -> Value {
        let response = self.ask(body).await;
        let (status, body) = (response.status(), response.json::<Value>().await.unwrap());
        assert_eq!(status, 200, "{body}");
        body
    }

    /// A refusal that has to come: its status and its error.
    pub(crate) async fn refuse(&self, body: &Value) -> (u16, Value) {
        refusal(self.ask(body).await).await
    }

    /// How many requests ended in this way.
    pub(crate) fn ended(&self, finish: &str) -> f64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == "openclaw_engine_request_success_total").unwrap();
        let counter = family.get_metric().iter().find(|metric| metric.get_label()[0].value() == finish).unwrap();
        counter.get_counter().get_value()
    }
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

/// A request that goes on for as long as the context lasts: nothing but its grammar's one very long word may come.
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
    json!({
        "type": "function",
        "function": {
            "name": "weigh",
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
    let mut body = request();
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => body.as_object_mut().unwrap().remove(key),
            value => body.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    body
}
