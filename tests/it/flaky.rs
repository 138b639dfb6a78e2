//! A way to a server that fails at first: the first documents, the first batch and the first two chats are turned away,
//! and the answers to the first task and the second batch are lost after the server has heard them.

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
    batches: AtomicUsize,
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
    let batches = if is("/v1/tasks:batch") { counts.batches.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
    let turned_away = if batches == 1 {
        Some(StatusCode::TOO_MANY_REQUESTS)
    } else if is("/v1/documents") {
        let ways = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS, StatusCode::INSUFFICIENT_STORAGE];
        ways.get(counts.documents.fetch_add(1, Ordering::Relaxed)).copied()
    } else if is("/v1/chat/completions") && is_early() {
        Some(StatusCode::SERVICE_UNAVAILABLE)
    } else {
        None
    };
    if let Some(status) = turned_away {
        return (status, [("retry-after", "1")]).into_response();
    }
    let loses_answer = batches == 2 || is("/v1/tasks") && first(&counts.tasks);
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
