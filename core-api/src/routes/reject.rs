//! Extractors whose refusals are problems, and how the store's errors become problems.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use store::{AcceptError, StoreError};
use types::TaskId;

use crate::problem::Problem;

/// A JSON body; what does not fit is a problem that names the field.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Body(body)),
            Err(rejection) => Err(Problem::new(rejection.status(), "bad_body", rejection.body_text())),
        }
    }
}

/// The query; what does not fit is a problem.
pub(crate) struct Ask<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Ask(query)),
            Err(rejection) => Err(Problem::new(rejection.status(), "bad_query", rejection.body_text())),
        }
    }
}

/// An id in the path; what is none is not found.
pub(crate) struct Id<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: std::str::FromStr<Err = types::InvalidName>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new(rejection.status(), "bad_path", rejection.body_text()))?;
        text.parse()
            .map(Id)
            .map_err(|error: T::Err| Problem::new(StatusCode::NOT_FOUND, "not_found", error.to_string()))
    }
}

pub(crate) fn no_task(id: TaskId) -> Problem {
    Problem::not_found("task", id)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let unavailable = |code| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string());
        match &error {
            StoreError::DiskFull { .. } => {
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", error.to_string()).retry_after(30)
            }
            StoreError::Busy { .. } => unavailable("store_busy").retry_after(1),
            StoreError::Closed => unavailable("stopping").retry_after(5),
            StoreError::LeaseLost { .. }
            | StoreError::InUse { .. }
            | StoreError::NotWritable { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::NotADatabase { .. }
            | StoreError::Damaged { .. }
            | StoreError::Database { .. } => {
                tracing::error!(error = %error, source = ?std::error::Error::source(&error), "the store failed");
                unavailable("store_failed")
            }
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match &error {
            AcceptError::Empty => Problem::unprocessable("empty_task", error.to_string()),
            AcceptError::UnknownDocuments { .. } => Problem::unprocessable("unknown_document", error.to_string()),
            AcceptError::KeyConflict { .. } => {
                Problem::new(StatusCode::CONFLICT, "idempotency_conflict", error.to_string())
            }
            AcceptError::QueueFull { .. } => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", error.to_string()).retry_after(5)
            }
        }
    }
}
