//! `/v1/documents`: stored once, referred to by id.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use store::NewDocument;
use types::DocumentId;
use utoipa::{IntoParams, ToSchema};

use super::reject::{Ask, Id};
use crate::dto::DocumentView;
use crate::problem::Problem;
use crate::state::ApiState;

const MAX_NAME_CHARS: usize = 255;
const MAX_MEDIA_TYPE_CHARS: usize = 255;
const BYTES: &str = "application/octet-stream";

/// A file, byte by byte.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct File(#[allow(dead_code, reason = "only described")] String);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StoreQuery {
    /// The file's name; "document" unless given.
    #[serde(default)]
    #[param(value_type = String, required = false, min_length = 1, max_length = 255)]
    name: Option<String>,
}

/// Store a document. The body is the file itself; the same content under the same name and type is kept once.
#[utoipa::path(
    post, path = "/v1/documents", operation_id = "store_document", tag = "documents", params(StoreQuery),
    request_body(content = File, content_type = "*/*", description = "The file; `Content-Type` says what it is"),
    responses(
        (status = 201, body = DocumentView, description = "It is stored",
            headers(("Location" = String, description = "Where the document is"))),
        (status = 400, description = "The query or the body cannot be read"),
        (status = 413, description = "Larger than server.max_document_bytes"),
        (status = 415, description = "A form in place of the file"),
        (status = 422, description = "It has no bytes, or its name is unusable"),
        (status = 507, description = "The disk is full; nothing was stored")
    )
)]
pub(crate) async fn store(
    State(state): State<ApiState>,
    Ask(query): Ask<StoreQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let media_type = media_type(&headers)?;
    let name = query.name.unwrap_or_else(|| "document".to_owned());
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let detail = format!("the name must have 1 to {MAX_NAME_CHARS} printable characters");
        return Err(Problem::unprocessable("bad_name", detail));
    }
    let bytes = read(body, &headers, state.settings.max_document_bytes).await?;
    if bytes.is_empty() {
        return Err(Problem::unprocessable(
            "empty_document",
            "the body has no bytes; send the file itself as the body",
        ));
    }
    let document = NewDocument { team: state.settings.team.clone(), name, media_type, bytes };
    let stored = state.store.put_document(document, &state.caller()).await?;
    let location = HeaderValue::try_from(format!("/v1/documents/{}", stored.id)).map_err(|_| Problem::internal())?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(DocumentView::from(stored))).into_response())
}

fn media_type(headers: &HeaderMap) -> Result<String, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(BYTES);
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        // It would be stored with the form's boundaries around it.
        "multipart/form-data" => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "form_not_supported",
            "the body is a form; send the file itself as the body, as with curl --data-binary @file",
        )),
        // What curl says of any body that is not told otherwise.
        "" | "application/x-www-form-urlencoded" => Ok(BYTES.to_owned()),
        _ if given.len() > MAX_MEDIA_TYPE_CHARS => Ok(BYTES.to_owned()),
        _ => Ok(given.to_owned()),
    }
}

/// Reads the body into the one buffer that the store gets.
async fn read(body: Body, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, Problem> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut bytes = Vec::with_capacity(told.filter(|told| *told <= limit).unwrap_or_default());
    let mut chunks = body.into_data_stream();
    let mut received = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::bad_request(
                "bad_body",
                format!("the body broke off after {received} bytes: {error}; send it again"),
            )
        })?;
        received += chunk.len();
        if received <= limit {
            bytes.extend_from_slice(&chunk);
        } else if limit.saturating_mul(2) < received {
            break;
        }
        // A little more than allowed is read and dropped: who is still sending would not see the answer.
    }
    if received <= limit {
        return Ok(bytes);
    }
    let detail =
        format!("the document has more than {limit} bytes (server.max_document_bytes); split it or raise the limit");
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "document_too_large", detail))
}

/// Show a document without its bytes.
#[utoipa::path(
    get, path = "/v1/documents/{id}", operation_id = "get_document", tag = "documents",
    params(("id" = DocumentId, Path, description = "Its id")),
    responses((status = 200, body = DocumentView, description = "What it is"), (status = 404, description = "No such document"))
)]
pub(crate) async fn get(State(state): State<ApiState>, Id(id): Id<DocumentId>) -> Result<Json<DocumentView>, Problem> {
    let found = state.store.document(&state.settings.team, &id).await?;
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
        (status = 200, body = File, content_type = "application/octet-stream", description = "As a download"),
        (status = 404, description = "No such document")
    )
)]
pub(crate) async fn content(State(state): State<ApiState>, Id(id): Id<DocumentId>) -> Result<Response, Problem> {
    let bytes = state.store.document_bytes(&state.settings.team, &id).await?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("document", &id))?;
    Ok((DOWNLOAD, bytes).into_response())
}
