//! All routes, and the document that describes them, made from the same declarations.

use std::any::Any;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::description;
use crate::guard::loopback_only;
use crate::problem::Problem;
use crate::routes::{MAX_JSON_BYTES, agents, documents, events, retry, service, submit, tasks};
use crate::state::ApiState;

/// Every route stands here, so every route is in the document.
fn described() -> (Router<ApiState>, Document) {
    let (routes, document) = OpenApiRouter::with_openapi(description::begin())
        .routes(routes!(submit::submit, tasks::list))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::cancel))
        .routes(routes!(retry::retry))
        .routes(routes!(tasks::steps))
        .routes(routes!(events::stream))
        .routes(routes!(documents::store))
        .routes(routes!(documents::get))
        .routes(routes!(documents::content))
        .routes(routes!(agents::list))
        .routes(routes!(agents::get))
        .routes(routes!(service::healthz))
        .routes(routes!(service::readyz))
        .routes(routes!(service::metrics))
        .routes(routes!(service::openapi))
        .split_for_parts();
    (routes, description::complete(document))
}

/// The description of every route.
pub fn openapi() -> Document {
    described().1
}

/// The whole interface.
pub fn router(state: ApiState) -> Router {
    router_beside(state, OpenApiRouter::default())
}

/// The whole interface and `others`, which stand behind the same guard and in the same document. They have routes only,
/// no fallback.
pub fn router_beside(state: ApiState, others: OpenApiRouter) -> Router {
    let (routes, mut document) = described();
    let (others, their_document) = others.split_for_parts();
    document.merge(their_document);
    let guarded = state.settings.loopback_only;
    let routes = routes
        .layer(Extension(Arc::new(document)))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .with_state(state)
        .merge(others)
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method);
    let routes = if guarded { routes.layer(from_fn(loopback_only)) } else { routes };
    routes.layer(CatchPanicLayer::custom(panicked))
}

async fn no_such_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_route", "there is no such route; /openapi.json lists them")
}

async fn wrong_method() -> Problem {
    let detail = "the route does not take this method; the header Allow says which it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
}

/// A defect in one handler costs its request and nothing else.
fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of unknown kind"), "a request's handler panicked");
    Problem::internal().into_response()
}
