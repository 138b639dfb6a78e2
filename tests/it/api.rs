//! The REST interface as a client sees it.

use reqwest::StatusCode;
use serde_json::{Value, json};

/// A client of one server.
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
}

/// Events after which nothing follows.
pub(crate) const TERMINAL: [&str; 4] = ["succeeded", "failed", "cancelled", "dead"];

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        // Another test may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Api { http, url: url.to_owned() }
    }

    /// Submits; `Err` when the server is not there (any more).
    pub(crate) async fn submit(&self, task: &Value, key: &str) -> reqwest::Result<(StatusCode, Value)> {
        let request = self.http.post(format!("{}/v1/tasks", self.url)).header("idempotency-key", key).json(task);
        let response = request.send().await?;
        Ok((response.status(), response.json().await?))
    }

    /// Submits a task that must be accepted, and gives its id.
    pub(crate) async fn accepted(&self, task: &Value) -> String {
        let response = self.http.post(format!("{}/v1/tasks", self.url)).json(task).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    /// The status and the text of an answer.
    pub(crate) async fn post(&self, path: &str, content: &Value) -> (u16, String) {
        let response = self.http.post(format!("{}{path}", self.url)).json(content).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The task when it has ended.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        loop {
            let task = self.get(&format!("/v1/tasks/{id}?wait=60")).await;
            if TERMINAL.contains(&task["state"].as_str().unwrap_or_else(|| panic!("{task}"))) {
                return task;
            }
        }
    }

    /// All events of a task, until its end.
    pub(crate) async fn events(&self, id: &str) -> Vec<Value> {
        let stream = self.http.get(format!("{}/v1/tasks/{id}/events", self.url)).send().await.unwrap();
        let text = stream.text().await.unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    /// Stores a document and gives its id.
    pub(crate) async fn stored(&self, text: &str) -> String {
        let request =
            self.http.post(format!("{}/v1/documents?name=a.txt", self.url)).header("content-type", "text/plain");
        let document: Value = request.body(text.to_owned()).send().await.unwrap().json().await.unwrap();
        document["id"].as_str().unwrap_or_else(|| panic!("{document}")).to_owned()
    }

    pub(crate) async fn metrics(&self) -> String {
        self.text("/metrics").await
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().text().await.unwrap()
    }
}

/// The sum of a metric over all its labels.
pub(crate) fn sum(metrics: &str, name: &str) -> f64 {
    let values = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(['{', ' ']));
    values.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// A task with a short answer in a form that is enforced.
pub(crate) fn routing(message: &str) -> Value {
    json!({"agent": "customer-query-routing", "input": message})
}
