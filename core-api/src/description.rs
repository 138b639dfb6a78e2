//! What `/openapi.json` says beside what the routes say of themselves.

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::problem::{PROBLEM_JSON, Problem};

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
        (name = "dead letters", description = "What could not be finished"),
        (name = "queue", description = "Numbers, pause and resume"),
        (name = "webhooks", description = "Messages that tell of ended tasks"),
        (name = "access", description = "Keys and teams"),
        (name = "agents", description = "Who can work"),
        (name = "service", description = "Health, metrics and this document")
    ),
    components(schemas(Problem)),
    modifiers(&ApiKeys),
    security(("api_key" = []))
)]
struct Description;

/// How callers say who they are, where that is asked.
struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("talon_…")
            .description(Some("An API key, where server.authentication is keys"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// What every route can answer beside its own.
const EVERYWHERE: [(StatusCode, &str); 4] = [
    (StatusCode::UNAUTHORIZED, "No API key, or one that is not good"),
    (StatusCode::FORBIDDEN, "The key's role is too low; or sent by another site's page, or to another host's name"),
    (StatusCode::INTERNAL_SERVER_ERROR, "A defect of the server"),
    (StatusCode::SERVICE_UNAVAILABLE, "The server starts, stops or has lost its store"),
];

/// What every route that changes something can answer.
const CHANGING: (StatusCode, &str) = (StatusCode::INSUFFICIENT_STORAGE, "The disk is full; nothing was changed");

/// The document before its routes.
pub(crate) fn begin() -> Document {
    Description::openapi()
}

/// Says of each route that it asks nobody who they are.
pub(crate) fn open(mut document: Document) -> Document {
    for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(vec![SecurityRequirement::default()]);
    }
    document
}

/// Completes what the routes said: each error is a problem, and some can come from any route.
pub(crate) fn complete(mut document: Document) -> Document {
    for (changes, operation) in document.paths.paths.values_mut().flat_map(operations) {
        let is_open = operation.security.is_some();
        let responses = &mut operation.responses.responses;
        let common = EVERYWHERE.into_iter().chain(changes.then_some(CHANGING));
        for (status, description) in common.filter(|(status, _)| !is_open || *status != StatusCode::UNAUTHORIZED) {
            let response = || ResponseBuilder::new().description(description).build().into();
            responses.entry(status.as_str().to_owned()).or_insert_with(response);
        }
        for (status, response) in responses {
            let RefOr::T(response) = response else { continue };
            if status.starts_with(['4', '5']) {
                let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                response.content = [(PROBLEM_JSON.to_owned(), body.into())].into_iter().collect();
            }
        }
    }
    document
}

/// Each with whether it changes something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let changing = [&mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
    let changing = changing.into_iter().flatten().map(|operation| (true, operation));
    item.get.as_mut().map(|operation| (false, operation)).into_iter().chain(changing)
}
