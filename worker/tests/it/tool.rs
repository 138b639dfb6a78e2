//! A tool server on this host that answers by a script and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Ends with the test's runtime.
pub struct Tool {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Tool {
    /// Answers the nth call, from 0.
    pub async fn start<R: IntoResponse>(answer: impl Fn(usize) -> R + Send + Sync + 'static) -> Tool {
        let calls: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let seen = calls.clone();
        let answer = Arc::new(answer);
        let handler = move |headers: HeaderMap, Json(body): Json<Value>| {
            let number = {
                let mut seen = seen.lock().unwrap();
                let key = headers["idempotency-key"].to_str().unwrap().to_owned();
                seen.push((key, body));
                seen.len() - 1
            };
            let response: Response = answer(number).into_response();
            std::future::ready(response)
        };
        Tool { address: serve(Router::new().route("/lookup", post(handler))).await, calls }
    }

    /// Always finds something.
    pub async fn willing() -> Tool {
        Tool::start(|number| Json(json!({ "found": number }))).await
    }

    /// Always answers this status.
    pub async fn refusing(status: StatusCode) -> Tool {
        Tool::start(move |_| status).await
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}/lookup", self.address)
    }

    /// The bodies of all calls.
    pub fn calls(&self) -> Vec<Value> {
        self.calls.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    /// The names that all calls carried.
    pub fn keys(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }
}

/// The reference tools.
pub async fn reference() -> SocketAddr {
    serve(toolserver::router(toolserver::Options::default())).await
}

pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}
