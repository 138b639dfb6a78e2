//! The engine's role: models and the routes in OpenAI's form, without a store.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use core_api::{Gather, Health, Problem, Readiness};
use prometheus::TextEncoder;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::openai;
use super::site::Site;
use crate::models::{self, Engines};

/// Models for those who know the key, if there is one; health, readiness and metrics for all.
pub(super) fn router(site: &Site, engines: Engines, readiness: watch::Receiver<Readiness>) -> Router {
    let health = models::health(&engines);
    let metrics = site.metrics.gather();
    let (models, _) = openai::here(site, engines).split_for_parts();
    let models = match &site.config.server.admin_key {
        None => models,
        Some(key) => {
            let expected = digest(key.exposed());
            models.layer(from_fn(move |request: Request, next: Next| admit(expected, request, next)))
        }
    };
    let service = Router::new()
        .route("/healthz", get(async move || healthz(&health)))
        .route("/readyz", get(async move || readyz(*readiness.borrow())))
        .route("/metrics", get(async move || text(&metrics)));
    let all =
        models.merge(service).fallback(async || Problem::not_found("route", "here; this process has models alone"));
    if site.config.server.dangerously_listen_beyond_loopback || site.config.server.admin_key.is_some() {
        all
    } else {
        all.layer(from_fn(core_api::loopback_only))
    }
}

/// By digest, so that the time it takes tells nothing of the key.
async fn admit(expected: [u8; 32], request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")).map(digest) == Some(expected) {
        return next.run(request).await;
    }
    let detail = "this engine asks for its TALON_ADMIN_KEY in the header Authorization: Bearer …";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).into_response()
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn healthz(health: &Health) -> Result<&'static str, Problem> {
    health().map(|()| "ok\n").map_err(|what| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_progress", what))
}

fn readyz(readiness: Readiness) -> Result<&'static str, Problem> {
    match readiness {
        Readiness::Ready => Ok("ready\n"),
        Readiness::Draining => Err(Problem::unavailable("draining", "the process is about to end", 5)),
    }
}

fn text(metrics: &Gather) -> Result<Response, Problem> {
    let text = TextEncoder::new().encode_to_string(&metrics()).map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
