//! A way to a server that fails at first: the first document and the first two chats are turned away, and the first
//! task's answer is lost after the server has heard it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::net::TcpListener;

use crate::server::Server;

/// Stands before a server.
pub(crate) struct Flaky {
    pub(crate) url: String,
    counts: Arc<Counts>,
}

/// How often each was asked for.
#[derive(Default)]
struct Counts {
    documents: AtomicUsize,
    chats: AtomicUsize,
    tasks: AtomicUsize,
}

impl Flaky {
    pub(crate) async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::new(Counts::default());
        // Another test may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let onward = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let (behind, counted) = (server.url.clone(), counts.clone());
        let front = Router::new().fallback(move |request| {
            let (onward, behind, counted) = (onward.clone(), behind.clone(), counted.clone());
            async move { pass(request, &onward, &behind, &counted).await }
        });
        tokio::spawn(async move { axum::serve(listener, front).await });
        Flaky { url, counts }
    }

    /// How many requests of `talon enqueue` have failed.
    pub(crate) fn failed(&self) -> usize {
        [&self.counts.documents, &self.counts.tasks].map(|count| count.load(Ordering::Relaxed).min(1)).iter().sum()
    }
}

async fn pass(request: Request, onward: &reqwest::Client, behind: &str, counts: &Counts) -> Response {
    let (parts, body) = request.into_parts();
    let first = |count: &AtomicUsize| count.fetch_add(1, Ordering::Relaxed) == 0;
    let is = |path: &str| parts.method == Method::POST && parts.uri.path() == path;
    let is_early = || counts.chats.fetch_add(1, Ordering::Relaxed) < 2;
    if is("/v1/documents") && first(&counts.documents) || is("/v1/chat/completions") && is_early() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let loses_answer = is("/v1/tasks") && first(&counts.tasks);
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut onward = onward.request(parts.method, format!("{behind}{}", parts.uri)).body(body);
    for name in ["content-type", "idempotency-key"] {
        if let Some(value) = parts.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let answer = onward.send().await.unwrap();
    let status = answer.status();
    let kind = answer.headers().get("content-type").map(|kind| ("content-type", kind.clone()));
    let body = answer.bytes().await.unwrap();
    if loses_answer {
        let broken = stream::iter([Ok(body.slice(..1)), Err::<Bytes, _>(io::Error::other("broken off"))]);
        return (status, Body::from_stream(broken)).into_response();
    }
    (status, kind.map(|kind| [kind]), body).into_response()
}
