//! The REST interface as clients use it that know it may be away.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

/// How long a client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Before it asks again.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) struct Rest {
    http: reqwest::Client,
    url: String,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A definite answer.
    Said(StatusCode, Value),
    /// None, or one that says to try again: whether it was heard is not known.
    Doubt,
}

impl Rest {
    pub(crate) fn of(url: &str) -> Self {
        // Another seed may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(TIMEOUT).build().unwrap();
        Rest { http, url: url.to_owned() }
    }

    /// Asks once.
    pub(crate) async fn ask(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            let text = response.text().await?;
            Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
        };
        match answer.await {
            Ok((status, _)) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Answer::Doubt,
            Ok((status, body)) => Answer::Said(status, body),
            Err::<_, reqwest::Error>(_) => Answer::Doubt,
        }
    }

    /// Asks until there is an answer.
    pub(crate) async fn insist(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        loop {
            if let Answer::Said(status, body) = self.ask(method.clone(), path, key, body).await {
                return (status, body);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A page that must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.insist(Method::GET, path, None, None).await.1
    }

    /// The events of a task that has ended, in order.
    pub(crate) async fn events(&self, task: &str) -> Vec<Value> {
        let path = format!("{}/v1/tasks/{task}/events", self.url);
        loop {
            let text = async { self.http.get(&path).send().await?.error_for_status()?.text().await };
            match text.await {
                Ok(text) => {
                    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
                    return data.map(|data| serde_json::from_str(data).unwrap()).collect();
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
