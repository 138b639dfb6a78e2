//! Reads a document from a request, no further than it may be long: from the body itself, or from a form.

use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use futures::{Stream, StreamExt};

use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::uploads::Upload;

const MAX_MEDIA_TYPE_CHARS: usize = 255;
const BYTES: &str = "application/octet-stream";
/// A form's boundaries, headers and other fields.
const FORM_BYTES: usize = 64 << 10;
const FORM_HINT: &str = "send the file in a form, as with curl -F file=@offer.pdf, or as the body itself";

/// A document as it was sent.
pub(super) struct File {
    /// The name that came with it.
    pub(super) name: Option<String>,
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

/// The document of a request, and the room that it takes until it is stored.
pub(super) async fn read(state: &ApiState, caller: &Caller, request: Request) -> Result<(File, Upload), Problem> {
    let limit = state.settings.max_document_bytes;
    let told = content_length(request.headers()).filter(|told| *told <= limit);
    let room = state.begin_upload(&caller.team, told.unwrap_or(limit))?;
    let given = given_type(request.headers());
    let file = if essence(given).eq_ignore_ascii_case("multipart/form-data") {
        from_form(request, limit).await?
    } else {
        let media_type = media_type(given);
        let buffer = Vec::with_capacity(told.unwrap_or_default());
        let pieces = request.into_body().into_data_stream().map(|piece| piece.map_err(|error| broken_off(&error)));
        let bytes = collect(buffer, pieces, limit).await?;
        File { name: None, media_type, bytes }
    };
    Ok((file, room))
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn given_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(BYTES)
}

/// A media type without its parameters.
fn essence(given: &str) -> &str {
    given.split(';').next().unwrap_or_default().trim()
}

fn media_type(given: &str) -> String {
    match essence(given).to_ascii_lowercase().as_str() {
        // What curl says of any body that is not told otherwise.
        "" | "application/x-www-form-urlencoded" => BYTES.to_owned(),
        _ if given.len() > MAX_MEDIA_TYPE_CHARS => BYTES.to_owned(),
        _ => given.to_owned(),
    }
}

fn broken_off(error: &axum::Error) -> Problem {
    Problem::bad_request("bad_body", format!("the body broke off: {error}; send it again"))
}

/// The one file of a form; fields that are no files are left alone.
async fn from_form(mut request: Request, limit: usize) -> Result<File, Problem> {
    // As of a body: a little more than allowed is read, so that the sender sees the answer.
    DefaultBodyLimit::max(limit.saturating_mul(2).saturating_add(FORM_BYTES)).apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut form =
        form.map_err(|error| Problem::bad_request("bad_form", format!("{}; {FORM_HINT}", error.body_text())))?;
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(|error| form_problem(&error, limit))? {
        if field.file_name().is_none() {
            continue;
        }
        if file.is_some() {
            let detail = "the form has several files; send a form for each";
            return Err(Problem::unprocessable("many_documents", detail));
        }
        file = Some(from_field(field, limit).await?);
    }
    file.ok_or_else(|| Problem::unprocessable("no_document", format!("the form has no file; {FORM_HINT}")))
}

async fn from_field(field: Field<'_>, limit: usize) -> Result<File, Problem> {
    // Some clients send the whole path.
    let name = field.file_name().and_then(|path| path.rsplit(['/', '\\']).next()).map(str::to_owned);
    let media_type = media_type(field.content_type().unwrap_or(BYTES));
    let pieces = field.map(|piece| piece.map_err(|error| form_problem(&error, limit)));
    let bytes = collect(Vec::new(), pieces, limit).await?;
    Ok(File { name: name.filter(|name| !name.is_empty()), media_type, bytes })
}

fn form_problem(error: &MultipartError, limit: usize) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(limit);
    }
    Problem::bad_request("bad_form", format!("the form cannot be read: {}; {FORM_HINT}", error.body_text()))
}

/// Reads the pieces into the one buffer that the store gets.
async fn collect(
    mut bytes: Vec<u8>,
    mut pieces: impl Stream<Item = Result<Bytes, Problem>> + Unpin,
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let mut received = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        received += piece.len();
        if received <= limit {
            bytes.extend_from_slice(&piece);
        } else if limit.saturating_mul(2) < received {
            break;
        }
        // A little more than allowed is read and dropped: who is still sending would not see the answer.
    }
    if received <= limit { Ok(bytes) } else { Err(too_large(limit)) }
}

fn too_large(limit: usize) -> Problem {
    let detail =
        format!("the document has more than {limit} bytes (server.max_document_bytes); split it or raise the limit");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "document_too_large", detail)
}
