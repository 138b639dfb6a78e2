//! What the description of these routes says beside what the routes say of themselves.

use axum::http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};

use crate::refusal::ErrorResponse;

#[derive(OpenApi)]
#[openapi(
    tags((name = "models", description = "Speak to a model without agent or task, in OpenAI's form")),
    components(schemas(ErrorResponse))
)]
struct Description;

/// What every route can answer beside its own.
const EVERYWHERE: [(StatusCode, &str); 2] = [
    (StatusCode::INTERNAL_SERVER_ERROR, "A defect of the server or the model"),
    (StatusCode::SERVICE_UNAVAILABLE, "The server starts or stops; `Retry-After` says when to come back"),
];

/// The document before its routes.
pub(crate) fn begin() -> Document {
    Description::openapi()
}

/// Completes what the routes said: each error has OpenAI's form, and some can come from any route.
pub(crate) fn complete(mut document: Document) -> Document {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let responses = &mut operation.responses.responses;
        for (status, description) in EVERYWHERE {
            let response = ResponseBuilder::new().description(description).build();
            responses.insert(status.as_str().to_owned(), response.into());
        }
        for (status, response) in responses {
            let RefOr::T(response) = response else { continue };
            if status.starts_with(['4', '5']) {
                let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorResponse"))).build();
                response.content = [("application/json".to_owned(), body.into())].into_iter().collect();
            }
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}
