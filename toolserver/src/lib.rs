//! The reference tool server: reads documents, validates records and computes the figures of tables, over HTTP.
//!
//! It keeps nothing between requests and makes no connection of its own. Documents are hostile until proven
//! otherwise: each is read on a thread of its own, within limits of time, pages, memory and text.

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
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::net::TcpListener;

pub use options::Options;
use problem::Problem;
use readers::Readers;

/// The routes `/parse`, `/validate`, `/table`, `/healthz` and `/`.
pub fn router(options: Options) -> Router {
    let readers = Readers::new(options.parse_concurrency, options.parse_timeout);
    let limit = DefaultBodyLimit::max(options.max_body_bytes);
    Router::new()
        .route("/parse", post(routes::parse))
        .route("/validate", post(routes::validate))
        .route("/table", post(routes::table))
        .route("/healthz", get(routes::healthz))
        .route("/", get(routes::list))
        .fallback(|| ready(Problem::not_found()))
        .method_not_allowed_fallback(|| ready(Problem::method_not_allowed()))
        .layer(limit)
        .layer(from_fn(logged))
        .with_state(Server { options: Arc::new(options), readers })
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
}

async fn logged(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let start = Instant::now();
    let response = next.run(request).await;
    tracing::info!(%method, path, status = response.status().as_u16(), elapsed = ?start.elapsed(), "request served");
    response
}
