//! For whoever watches the process: health, readiness, metrics.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus::TextEncoder;

use crate::problem::Problem;
use crate::state::{ApiState, Readiness};

/// Whether the process makes progress.
#[utoipa::path(get, path = "/healthz", tag = "service",
    responses((status = 200, body = String), (status = 503, body = Problem, description = "Something stands still")))]
pub(crate) async fn healthz(State(state): State<ApiState>) -> Result<&'static str, Problem> {
    match (state.health)() {
        Ok(()) => Ok("ok\n"),
        Err(what) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_progress", what)),
    }
}

/// Whether the process takes tasks.
#[utoipa::path(get, path = "/readyz", tag = "service",
    responses((status = 200, body = String), (status = 503, body = Problem, description = "Starting or draining")))]
pub(crate) async fn readyz(State(state): State<ApiState>) -> Result<&'static str, Problem> {
    let readiness = state.readiness.borrow().clone();
    match readiness {
        Readiness::Ready => Ok("ready\n"),
        Readiness::Starting => Err(unavailable("starting", "models are loading")),
        Readiness::Draining => Err(unavailable("draining", "the process finishes what it has and takes nothing new")),
    }
}

/// Everything that is measured, in Prometheus's text format.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(state): State<ApiState>) -> Result<Response, Problem> {
    state.store_metrics.show(&state.store.figures().await?);
    let text = TextEncoder::new()
        .encode_to_string(&(state.metrics)())
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics", error.to_string()))?;
    let mut response = text.into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(response)
}

pub(crate) fn unavailable(code: &str, why: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why).retry_after(1)
}
