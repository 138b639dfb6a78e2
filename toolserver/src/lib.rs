//! The reference tool server: reads documents, validates records and computes the figures of tables, over HTTP.
//!
//! It keeps nothing between requests and makes no connection of its own. Documents are hostile until proven
//! otherwise: each is read on a thread of its own, within limits of time, pages, memory and text.

mod options;

use std::future::Future;

use axum::Router;
use tokio::net::TcpListener;

pub use options::Options;

/// The routes `/parse`, `/validate`, `/table`, `/healthz` and `/`.
pub fn router(options: Options) -> Router {
    let _ = options;
    Router::new()
}

/// Serves until `shutdown` is done, and then finishes the requests it has.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(options)).with_graceful_shutdown(shutdown).await
}
