//! `/v1/documents`: stored once, referred to by id.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::NewDocument;
use types::DocumentId;
use utoipa::{IntoParams, ToSchema};

use super::reject::{Ask, Id};
use super::upload::{File, read};
use crate::caller::Caller;
use crate::dto::DocumentView;
use crate::problem::Problem;
use crate::state::ApiState;

const MAX_NAME_CHARS: usize = 255;
const BYTES: &str = "application/octet-stream";

/// A file, byte by byte.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Content(#[allow(dead_code, reason = "only described")] String);

/// A form with a file in it.
#[derive(ToSchema)]
pub(crate) struct Form {
    /// The file, with its name and type; the field may have any name.
    #[allow(dead_code, reason = "only described")]
    file: Content,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StoreQuery {
    /// The file's name; that of a form's file, or "document", unless given.
    #[serde(default)]
    #[param(value_type = String, required = false, min_length = 1, max_length = 255)]
    name: Option<String>,
}

/// Store a document. The body is the file itself, or a form (`multipart/form-data`) with one file; the same content
/// under the same name and type is kept once.
#[utoipa::path(
    post, path = "/v1/documents", operation_id = "store_document", tag = "documents", params(StoreQuery),
    request_body(content(
        (Content = "*/*"),
        (Form = "multipart/form-data")
    ), description = "The file, of which `Content-Type` says what it is; or a form with it"),
    responses(
        (status = 201, body = DocumentView, description = "It is stored",
            headers(("Location" = String, description = "Where the document is"))),
        (status = 400, description = "The query, the body or the form cannot be read"),
        (status = 413, description = "Larger than server.max_document_bytes"),
        (status = 422, description = "It has no bytes, its name is unusable, or the form has no file or several"),
        (status = 429, description = "The team has too much on its way already")
    )
)]
pub(crate) async fn store(
    State(state): State<ApiState>,
    caller: Caller,
    Ask(query): Ask<StoreQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let (File { name, media_type, bytes }, _room) = read(&state, &caller, request).await?;
    let name = query.name.or(name).unwrap_or_else(|| "document".to_owned());
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let detail = format!("the name must have 1 to {MAX_NAME_CHARS} printable characters");
        return Err(Problem::unprocessable("bad_name", detail));
    }
    if bytes.is_empty() {
        return Err(Problem::unprocessable(
            "empty_document",
            "the document has no bytes; send the file itself as the body, or in a form",
        ));
    }
    let document = NewDocument { team: caller.team, name, media_type, bytes };
    let stored = state.store.put_document(document, &caller.actor).await?;
    let location = HeaderValue::try_from(format!("/v1/documents/{}", stored.id)).map_err(|_| Problem::internal())?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(DocumentView::from(stored))).into_response())
}

/// Show a document without its bytes.
#[utoipa::path(
    get, path = "/v1/documents/{id}", operation_id = "get_document", tag = "documents",
    params(("id" = DocumentId, Path, description = "Its id")),
    responses((status = 200, body = DocumentView, description = "What it is"), (status = 404, description = "No such document"))
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<DocumentId>,
) -> Result<Json<DocumentView>, Problem> {
    let found = state.store.document(&caller.team, &id).await?;
    found.map(|document| Json(document.into())).ok_or_else(|| Problem::not_found("document", id))
}

/// Always as a download: what a stranger uploaded is never shown as a page of this origin.
const DOWNLOAD: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_TYPE, HeaderValue::from_static(BYTES)),
    (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Get a document's bytes.
#[utoipa::path(
    get, path = "/v1/documents/{id}/content", operation_id = "get_document_content", tag = "documents",
    params(("id" = DocumentId, Path, description = "Its id")),
    responses(
        (status = 200, body = Content, content_type = "application/octet-stream", description = "As a download"),
        (status = 404, description = "No such document")
    )
)]
pub(crate) async fn content(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<DocumentId>,
) -> Result<Response, Problem> {
    let bytes = state.store.document_bytes(&caller.team, &id).await?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("document", &id))?;
    Ok((DOWNLOAD, bytes).into_response())
}
