//! `/v1/documents`: stored once, referred to by id.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::NewDocument;
use types::DocumentId;
use utoipa::IntoParams;

use super::reject::{Ask, Id};
use crate::dto::DocumentView;
use crate::problem::Problem;
use crate::state::ApiState;

const MAX_NAME_CHARS: usize = 255;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreQuery {
    /// The file's name.
    #[serde(default)]
    name: Option<String>,
}

/// Store a document. The body is the file itself; the same content under the same name is kept once.
#[utoipa::path(
    post, path = "/v1/documents", tag = "documents", params(StoreQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file; `Content-Type` says what it is"),
    responses(
        (status = 201, body = DocumentView),
        (status = 413, body = Problem, description = "Larger than server.max_document_bytes"),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn store(
    State(state): State<ApiState>,
    Ask(query): Ask<StoreQuery>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<(StatusCode, Json<DocumentView>), Problem> {
    let limit = state.settings.max_document_bytes;
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "document_too_large",
            format!(
                "the document has more than {limit} bytes (server.max_document_bytes); split it or raise the limit"
            ),
        ),
        status => Problem::new(status, "bad_body", rejection.body_text()),
    })?;
    if bytes.is_empty() {
        return Err(Problem::unprocessable("empty_document", "the document has no bytes"));
    }
    let name = query.name.unwrap_or_else(|| "document".to_owned());
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Problem::unprocessable(
            "bad_name",
            format!("the name must have 1 to {MAX_NAME_CHARS} printable characters"),
        ));
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
    let document = NewDocument { team: state.settings.team.clone(), name, media_type, bytes: bytes.into() };
    let stored = state.store.put_document(document, &state.caller()).await?;
    Ok((StatusCode::CREATED, Json(stored.into())))
}

/// Show a document without its bytes.
#[utoipa::path(
    get, path = "/v1/documents/{id}", tag = "documents", params(("id" = String, Path, description = "doc_…")),
    responses((status = 200, body = DocumentView), (status = 404, body = Problem))
)]
pub(crate) async fn get(State(state): State<ApiState>, Id(id): Id<DocumentId>) -> Result<Json<DocumentView>, Problem> {
    let found = state.store.document(&state.settings.team, &id).await?;
    found.map(|document| Json(document.into())).ok_or_else(|| Problem::not_found("document", id))
}

/// Get a document's bytes.
#[utoipa::path(
    get, path = "/v1/documents/{id}/content", tag = "documents", params(("id" = String, Path, description = "doc_…")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem))
)]
pub(crate) async fn content(State(state): State<ApiState>, Id(id): Id<DocumentId>) -> Result<Response, Problem> {
    let bytes = state.store.document_bytes(&state.settings.team, &id).await?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("document", &id))?;
    let mut response = bytes.into_response();
    // Always as a download: what a stranger uploaded is never shown as a page of this origin.
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
