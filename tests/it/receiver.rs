//! A receiver of webhooks that is told by the test what to answer.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};

type Call = (Message, oneshot::Sender<StatusCode>);

/// Stands on a port of its own.
pub(crate) struct Receiver {
    pub(crate) url: String,
    calls: Mutex<mpsc::UnboundedReceiver<Call>>,
}

/// What was sent.
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: Value,
    text: String,
    timestamp: String,
    signature: String,
}

impl Receiver {
    pub(crate) async fn open() -> Self {
        let (sender, calls) = mpsc::unbounded_channel::<Call>();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(hear).with_state(sender);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, calls: Mutex::new(calls) }
    }

    /// Takes the next message.
    pub(crate) async fn taken(&self) -> Message {
        self.answered(StatusCode::NO_CONTENT).await
    }

    /// Answers the next message with 410 Gone.
    pub(crate) async fn gone(&self) -> Message {
        self.answered(StatusCode::GONE).await
    }

    async fn answered(&self, status: StatusCode) -> Message {
        let (message, answer) = self.calls.lock().await.recv().await.unwrap();
        answer.send(status).unwrap();
        message
    }
}

impl Message {
    /// As a receiver with the secret (in base64) checks it.
    pub(crate) fn check_signature(&self, secret: &str) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(secret).unwrap()).unwrap();
        mac.update(format!("{}.{}.{}", self.id, self.timestamp, self.text).as_bytes());
        assert_eq!(self.signature, format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
}

async fn hear(State(calls): State<mpsc::UnboundedSender<Call>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let message = Message {
        id: header("webhook-id"),
        body: serde_json::from_str(&text).unwrap(),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        text,
    };
    let (answer, answered) = oneshot::channel();
    // The test may be over.
    if calls.send((message, answer)).is_err() {
        return StatusCode::NO_CONTENT;
    }
    answered.await.unwrap_or(StatusCode::NO_CONTENT)
}
