//! The reference tool server: reads documents, validates records and computes the figures of tables, over HTTP.
//!
//! It keeps nothing between requests and makes no connection of its own. Documents are hostile until proven
//! otherwise: each is read on a thread of its own, within limits of time, pages, memory and text.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod document;
mod options;
mod pdf;
mod problem;
mod readers;
mod routes;
mod table;
mod text;
mod unusable;
mod validate;

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use options::Options;
use problem::Problem;
use readers::Readers;

/// The routes `/parse`, `/validate`, `/table`, `/healthz` and `/`.
pub fn router(options: Options) -> Router {
    let server = Server {
        readers: Readers::new(options.parse_concurrency, options.parse_timeout),
        requests: Arc::new(Semaphore::new(options.max_requests.max(1))),
        options: Arc::new(options),
    };
    let tools = Router::new()
        .route("/parse", post(routes::parse))
        .route("/validate", post(routes::validate))
        .route("/table", post(routes::table))
        .route_layer(DefaultBodyLimit::max(server.options.max_body_bytes))
        .route_layer(from_fn_with_state(server.clone(), admitted));
    Router::new()
        .route("/healthz", get(routes::healthz))
        .route("/", get(routes::list))
        .merge(tools)
        .fallback(|| ready(Problem::not_found()))
        .method_not_allowed_fallback(|| ready(Problem::method_not_allowed()))
        .layer(from_fn(logged))
        .with_state(server)
}

/// Serves until `shutdown` is done, and then finishes the requests it has.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(options)).with_graceful_shutdown(shutdown).await
}

/// What every request shares.
#[derive(Clone)]
struct Server {
    options: Arc<Options>,
    readers: Readers,
    requests: Arc<Semaphore>,
}

/// Takes a request before its body is read.
async fn admitted(State(server): State<Server>, request: Request, next: Next) -> Response {
    match server.requests.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Problem::busy().into_response(),
    }
}

async fn logged(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let start = Instant::now();
    let response = next.run(request).await;
    tracing::info!(%method, path, status = response.status().as_u16(), elapsed = ?start.elapsed(), "request served");
    response
}
