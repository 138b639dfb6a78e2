//! What `/openapi.json` says beside what the routes say of themselves.

use axum::http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};

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
        (name = "agents", description = "Who can work"),
        (name = "service", description = "Health, metrics and this document")
    ),
    components(schemas(Problem))
)]
struct Description;

/// What every route can answer beside its own.
const EVERYWHERE: [(StatusCode, &str); 3] = [
    (StatusCode::FORBIDDEN, "Sent by another site's page, or to another host's name"),
    (StatusCode::INTERNAL_SERVER_ERROR, "A defect of the server"),
    (StatusCode::SERVICE_UNAVAILABLE, "The server starts, stops or has lost its store"),
];

/// The document before its routes.
pub(crate) fn begin() -> Document {
    Description::openapi()
}

/// Completes what the routes said: each error is a problem, and some can come from any route.
pub(crate) fn complete(mut document: Document) -> Document {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let responses = &mut operation.responses.responses;
        for (status, description) in EVERYWHERE {
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

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}
