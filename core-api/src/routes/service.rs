//! For whoever watches the process: health, readiness, metrics, and the description of the interface.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use prometheus::TextEncoder;
use utoipa::openapi::OpenApi as Document;

use crate::caller::Operator;
use crate::problem::Problem;
use crate::state::{ApiState, Readiness};

/// Whether the process makes progress.
#[utoipa::path(get, path = "/healthz", operation_id = "health", tag = "service",
    responses((status = 200, body = String, description = "It does"), (status = 503, description = "Something stands still")))]
pub(crate) async fn healthz(State(state): State<ApiState>) -> Result<&'static str, Problem> {
    match (state.health)() {
        Ok(()) => Ok("ok\n"),
        Err(what) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_progress", what)),
    }
}

/// Whether the process takes tasks.
#[utoipa::path(get, path = "/readyz", operation_id = "readiness", tag = "service",
    responses((status = 200, body = String, description = "It does"), (status = 503, description = "It starts or stops")))]
pub(crate) async fn readyz(State(state): State<ApiState>) -> Result<&'static str, Problem> {
    let readiness = *state.readiness.borrow();
    match readiness {
        Readiness::Ready => Ok("ready\n"),
        Readiness::Draining => Err(draining()),
    }
}

/// Everything that is measured, in Prometheus's text format. Needs the role operator.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service",
    responses((status = 200, body = String, content_type = "text/plain", description = "Metric families")))]
pub(crate) async fn metrics(State(state): State<ApiState>, _: Operator) -> Result<Response, Problem> {
    state.store_metrics.show(&state.store.figures().await?);
    let text = TextEncoder::new().encode_to_string(&(state.metrics)()).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written out");
        Problem::internal()
    })?;
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "service",
    responses((status = 200, body = Object, content_type = "application/json", description = "OpenAPI 3.1")))]
pub(crate) async fn openapi(Extension(document): Extension<Arc<Document>>) -> Json<Document> {
    Json(Document::clone(&document))
}

/// The process is about to end; another one takes its place.
pub(crate) fn draining() -> Problem {
    let detail = "the process finishes what it has and takes nothing new; send the request again in a moment";
    Problem::unavailable("draining", detail, 5)
}
