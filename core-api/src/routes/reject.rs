//! Extractors whose refusals are problems, and how the store's errors become problems.

use std::error::Error;
use std::str::FromStr;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use store::{AcceptError, StoreError};
use types::InvalidName;

use crate::problem::Problem;
use crate::state::ApiState;

/// The largest JSON body.
pub(crate) const MAX_JSON_BYTES: usize = 2 << 20;

/// A JSON body; what does not fit is a problem that names the field.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = axum::Json::<T>::from_request(request, state).await;
        body.map(|axum::Json(body)| Body(body)).map_err(|rejection| unusable(&rejection))
    }
}

fn unusable(rejection: &JsonRejection) -> Problem {
    let status = rejection.status();
    match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            let detail = "the body must be JSON and say so; send the header Content-Type: application/json";
            Problem::new(status, "not_json", detail)
        }
        JsonRejection::JsonSyntaxError(error) => {
            Problem::new(status, "bad_json", format!("the body is not valid JSON: {}; correct it there", cause(error)))
        }
        JsonRejection::JsonDataError(error) => Problem::new(
            status,
            "bad_body",
            format!("the body does not fit: {}; /openapi.json shows its form", cause(error)),
        ),
        _ if status == StatusCode::PAYLOAD_TOO_LARGE => {
            let detail =
                format!("the JSON has more than {MAX_JSON_BYTES} bytes; store long texts with POST /v1/documents");
            Problem::new(status, "body_too_large", detail)
        }
        _ => {
            Problem::new(status, "bad_body", format!("the body could not be read: {}; send it again", cause(rejection)))
        }
    }
}

/// A JSON body that may be left out; then it says nothing.
pub(crate) struct MaybeBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(MaybeBody(T::default()));
        }
        Body::from_request(request, state).await.map(|Body(body)| MaybeBody(body))
    }
}

/// One line of JSON, held to the same rules as a body.
pub(crate) fn from_line<T: DeserializeOwned>(line: &[u8]) -> Result<T, Problem> {
    axum::Json::from_bytes(line).map(|axum::Json(value)| value).map_err(|rejection| unusable(&rejection))
}

/// What serde says, with the path of the field in front.
fn cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The query; what does not fit is a problem that names the parameter.
pub(crate) struct Ask<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Ask(query)),
            Err(rejection) => {
                let detail =
                    format!("the query does not fit: {}; /openapi.json shows its parameters", cause(&rejection));
                Err(Problem::bad_request("bad_query", detail))
            }
        }
    }
}

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1000;

/// How many things a page may have.
pub(crate) fn page_limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("limit is {limit} but must be from 1 to {MAX_LIMIT}");
    Err(Problem::bad_request("bad_query", detail))
}

/// An id or a name in the path; what is none is not found.
pub(crate) struct Id<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: FromStr<Err = InvalidName>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_found = |detail| Problem::new(StatusCode::NOT_FOUND, "not_found", detail);
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| not_found("the path is not valid UTF-8".to_owned()))?;
        text.parse().map(Id).map_err(|error: InvalidName| not_found(error.to_string()))
    }
}

/// Paths of files and the database's own words are for the log, not for callers.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::DiskFull { .. } => {
                tracing::warn!(%error, "a request was refused");
                let detail = "the server's disk is full; nothing was changed: free space and try again";
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", detail).retry_after(30)
            }
            StoreError::Busy { .. } => {
                tracing::warn!(%error, "a request was refused");
                let detail = "another program holds the server's database (a backup?); nothing was changed: try again";
                Problem::unavailable("store_busy", detail, 1)
            }
            StoreError::Disk { .. } => {
                tracing::error!(%error, "a request was refused");
                let detail =
                    "the server's disk did not take it; nothing was changed: try again, and have an operator look";
                Problem::unavailable("disk_failed", detail, 30)
            }
            StoreError::Unavailable { .. } => {
                tracing::warn!(%error, "a request was refused");
                let detail = "the server's database cannot be reached; try again, under the same Idempotency-Key if you sent one";
                Problem::unavailable("store_unavailable", detail, 5)
            }
            StoreError::Closed => Problem::unavailable("stopping", "the process is ending; try again in a moment", 5),
            StoreError::LeaseLost { .. }
            | StoreError::InUse { .. }
            | StoreError::NotWritable { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::NotADatabase { .. }
            | StoreError::Damaged { .. }
            | StoreError::Database { .. } => {
                tracing::error!(%error, cause = error.source().map(tracing::field::display), "the store failed");
                let detail = "the server's database failed; its log says how, and an operator has to look";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_failed", detail)
            }
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        let detail = error.to_string();
        match &error {
            AcceptError::Empty => Problem::unprocessable("empty_task", detail),
            AcceptError::UnknownDocuments { .. } => Problem::unprocessable("unknown_document", detail),
            AcceptError::KeyConflict { .. } => Problem::new(StatusCode::CONFLICT, "idempotency_conflict", detail),
            AcceptError::QueueFull { .. } => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", detail).retry_after(5)
            }
        }
    }
}

/// Why a task was not accepted; who finds the queue full hears when it may have room.
pub(crate) async fn refused(state: &ApiState, error: AcceptError) -> Problem {
    let is_full = matches!(error, AcceptError::QueueFull { .. });
    let problem = Problem::from(error);
    if !is_full {
        return problem;
    }
    match state.room_in().await {
        Ok(seconds) => problem.retry_after(seconds),
        Err(error) => {
            tracing::warn!(%error, "how fast the queue drains is not known");
            problem
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: StoreError, status: u16, code: &str, retry_after: Option<u32>, detail: &str) {
        let problem = Problem::from(error);
        assert_eq!((problem.status, problem.code.as_str(), problem.retry_after), (status, code, retry_after));
        assert_eq!(problem.detail, detail);
    }

    #[test]
    fn callers_hear_what_to_do_and_no_paths() {
        let path = || "/var/lib/talon/talon.db".into();
        check(
            StoreError::DiskFull { path: path() },
            507,
            "disk_full",
            Some(30),
            "the server's disk is full; nothing was changed: free space and try again",
        );
        check(
            StoreError::Busy { path: path() },
            503,
            "store_busy",
            Some(1),
            "another program holds the server's database (a backup?); nothing was changed: try again",
        );
        check(
            StoreError::Disk { path: path(), reason: "disk I/O error".to_owned() },
            503,
            "disk_failed",
            Some(30),
            "the server's disk did not take it; nothing was changed: try again, and have an operator look",
        );
        check(StoreError::Closed, 503, "stopping", Some(5), "the process is ending; try again in a moment");
        check(
            StoreError::Damaged { path: path(), reason: "page 3".to_owned() },
            503,
            "store_failed",
            None,
            "the server's database failed; its log says how, and an operator has to look",
        );
    }
}
