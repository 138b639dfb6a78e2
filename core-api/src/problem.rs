//! Every error of the REST interface: RFC 9457 problem+json, made in this one place.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dto::TaskView;

/// The media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A problem as clients see it. `code` is stable; `detail` says what, where and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:talon:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:talon:problem:unknown_agent")]
    pub kind: String,
    /// The code in words.
    #[schema(example = "Unknown agent")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// A stable name for programs.
    #[schema(example = "unknown_agent")]
    pub code: String,
    /// For people.
    pub detail: String,
    /// The task concerned, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<TaskView>>,
    /// Seconds after which the same request may succeed; also in the header `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem without extras.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Problem {
            kind: format!("urn:talon:problem:{code}"),
            title: in_words(code),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            task: None,
            retry_after: None,
        }
    }

    /// The request does not say what it has to say.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The request's content is at fault.
    pub fn unprocessable(code: &str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// There is no such thing.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} {id}"))
    }

    /// Not now; the same request may succeed in `seconds`.
    pub fn unavailable(code: &str, detail: impl Into<String>, seconds: u32) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(seconds)
    }

    /// A defect of ours; the log has the details.
    pub fn internal() -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a defect of the server; its log has the details")
    }

    /// Come back in `seconds`.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Concerns this task.
    pub fn with_task(mut self, task: TaskView) -> Self {
        self.task = Some(Box::new(task));
        self
    }
}

/// `unknown_agent` is "Unknown agent".
fn in_words(code: &str) -> String {
    let mut letters = code.chars().map(|letter| if letter == '_' { ' ' } else { letter });
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} {})", self.detail, self.status, self.code)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
