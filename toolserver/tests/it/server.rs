//! A server on a free port, and what it answers.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use toolserver::Options;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> String {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.content_type, "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(self.body["title"].is_string() && self.body["type"] == "about:blank");
        assert_eq!(self.body["error"], self.body["detail"]);
        self.body["detail"].as_str().unwrap().to_owned()
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        // Builds of dependencies without optimisation read slowly.
        Server::with(Options { parse_timeout: Duration::from_secs(60), ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(toolserver::serve(listener, options, shutdown));
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Server { address, client, stop, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.client.post(self.url(path)).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn parse(&self, name: &str, bytes: &[u8]) -> Answer {
        self.post("/parse", &json!({"document": document(name, bytes)})).await
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}

pub(crate) async fn answer(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let body = response.json().await.unwrap();
    Answer { status, content_type: content_type.unwrap_or_default(), body }
}

pub(crate) fn document(name: &str, bytes: &[u8]) -> Value {
    let media_type = if name.ends_with(".pdf") { "application/pdf" } else { "text/plain" };
    json!({"id": "doc_3f2a9c01b7de", "name": name, "media_type": media_type, "content_base64": STANDARD.encode(bytes)})
}
