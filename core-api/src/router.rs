//! All routes, and the document that describes them, made from the same declarations.

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::loopback_only;
use crate::problem::Problem;
use crate::routes::{agents, documents, events, service, tasks};
use crate::state::ApiState;

/// The largest JSON body.
const MAX_JSON_BYTES: usize = 2 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Talon",
        description = "Submit tasks to agents and follow them. Errors are RFC 9457 problem+json with a stable `code`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "tasks", description = "Submit, follow, cancel"),
        (name = "documents", description = "Store once, refer by id"),
        (name = "agents", description = "Who can work"),
        (name = "service", description = "Health and metrics")
    )
)]
struct Description;

fn described(max_document_bytes: usize) -> (Router<ApiState>, Document) {
    let limited =
        OpenApiRouter::new().routes(routes!(documents::store)).layer(DefaultBodyLimit::max(max_document_bytes));
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(tasks::submit, tasks::list))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::cancel))
        .routes(routes!(tasks::steps))
        .routes(routes!(events::stream))
        .routes(routes!(agents::list))
        .routes(routes!(documents::get))
        .routes(routes!(documents::content))
        .routes(routes!(service::healthz))
        .routes(routes!(service::readyz))
        .routes(routes!(service::metrics))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .merge(limited)
        .split_for_parts()
}

/// The description of every route.
pub fn openapi() -> Document {
    described(MAX_JSON_BYTES).1
}

/// The whole interface.
pub fn router(state: ApiState) -> Router {
    let (routes, document) = described(state.settings.max_document_bytes);
    let unknown = || async { Problem::new(StatusCode::NOT_FOUND, "no_such_route", "see /openapi.json for the routes") };
    let wrong_method =
        || async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "see /openapi.json for the methods") };
    let routes = routes
        .route("/openapi.json", get(move || async move { Json(document) }))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method);
    let routes = if state.settings.loopback_only { routes.layer(from_fn(loopback_only)) } else { routes };
    routes.layer(CatchPanicLayer::custom(panicked)).with_state(state)
}

/// A defect in one handler costs its request and nothing else.
fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    use axum::response::IntoResponse;
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a defect of the server; its log has the details")
        .into_response()
}
