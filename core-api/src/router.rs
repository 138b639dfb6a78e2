//! All routes, and the document that describes them, made from the same declarations.

use std::any::Any;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::authentication::{Authentication, authenticate};
use crate::description;
use crate::guard::loopback_only as guard;
use crate::patience::patient;
use crate::problem::Problem;
use crate::routes::{
    MAX_JSON_BYTES, agents, batch, dead_letters, dead_letters_by_filter, documents, events, explain, keys, queue,
    retry, service, submit, tasks, teams, webhooks,
};
use crate::state::ApiState;

/// Routes for callers who are known, with their descriptions.
fn known_callers() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(description::begin())
        .routes(routes!(submit::submit, tasks::list))
        .routes(routes!(batch::submit))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::cancel))
        .routes(routes!(retry::retry))
        .routes(routes!(explain::explain))
        .routes(routes!(tasks::steps))
        .routes(routes!(events::stream))
        .routes(routes!(documents::store))
        .routes(routes!(documents::get))
        .routes(routes!(documents::content))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters_by_filter::requeue))
        .routes(routes!(dead_letters_by_filter::purge))
        .routes(routes!(dead_letters::get, dead_letters::purge))
        .routes(routes!(dead_letters::requeue))
        .routes(routes!(queue::get))
        .routes(routes!(queue::pause))
        .routes(routes!(queue::resume))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::retry))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(teams::list))
        .routes(routes!(teams::put))
        .routes(routes!(agents::list))
        .routes(routes!(agents::get))
        .routes(routes!(service::metrics))
}

/// Routes for everyone: for who watches the process and for who wants to learn the interface.
fn open_to_all() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(service::healthz))
        .routes(routes!(service::readyz))
        .routes(routes!(service::openapi))
}

/// Every route stands in one of the two routers, so every route is in the document.
fn described() -> (Router<ApiState>, Router<ApiState>, Document) {
    let (known_callers, mut document) = known_callers().split_for_parts();
    let (open_to_all, open_document) = open_to_all().split_for_parts();
    document.merge(description::open(open_document));
    (known_callers, open_to_all, description::complete(document))
}

/// The description of every route.
pub fn openapi() -> Document {
    described().2
}

/// The whole interface.
pub fn router(state: ApiState) -> Router {
    router_beside(state, OpenApiRouter::default())
}

/// The whole interface and `others`, which stand behind the same guard and authentication and in the same document. They
/// have routes only, no fallback; they find the caller in the extensions [`Caller`](crate::Caller) and
/// [`TeamName`](types::TeamName).
pub fn router_beside(state: ApiState, others: OpenApiRouter) -> Router {
    let (known_callers, open_to_all, mut document) = described();
    let (others, their_document) = others.split_for_parts();
    document.merge(their_document);
    let known_callers = known_callers.layer(DefaultBodyLimit::max(MAX_JSON_BYTES)).with_state(state.clone());
    let known_callers = known_callers.merge(others);
    guarded(state, known_callers, open_to_all).layer(Extension(Arc::new(document)))
}

/// Health, readiness and metrics alone, for a process that answers nothing else.
pub fn service_router(state: ApiState) -> Router {
    let known_callers = Router::new().route("/metrics", get(service::metrics)).with_state(state.clone());
    let open_to_all = Router::new().route("/healthz", get(service::healthz)).route("/readyz", get(service::readyz));
    guarded(state, known_callers, open_to_all)
}

/// Lets callers in: to what is open to all, and, once they are known, to the rest.
fn guarded(state: ApiState, known_callers: Router, open_to_all: Router<ApiState>) -> Router {
    let loopback_only = matches!(state.settings.authentication, Authentication::Open { loopback_only: true, .. });
    let routes = known_callers
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(map_request(patient))
        .layer(from_fn_with_state(state.clone(), authenticate))
        .merge(open_to_all.with_state(state).method_not_allowed_fallback(wrong_method));
    let routes = if loopback_only { routes.layer(from_fn(guard)) } else { routes };
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
