//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::unusable::Unusable;

/// What a caller gets instead of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after: Option<Duration>,
}

impl Problem {
    /// 400: the request is not what the tool takes.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Problem { status: StatusCode::BAD_REQUEST, code, detail: detail.into(), retry_after: None }
    }

    /// 422: the request is well formed, but what it carries cannot be used.
    pub(crate) fn unusable(code: &'static str, detail: impl Into<String>) -> Self {
        Problem { status: StatusCode::UNPROCESSABLE_ENTITY, code, detail: detail.into(), retry_after: None }
    }

    /// 413: the body is larger than the limit.
    pub(crate) fn too_large(max: usize) -> Self {
        let detail = format!("the request has more than {max} bytes; send a smaller document");
        Problem { status: StatusCode::PAYLOAD_TOO_LARGE, code: "too_large", detail, retry_after: None }
    }

    /// 503: everything is in use for now.
    pub(crate) fn busy() -> Self {
        Problem {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "busy",
            detail: "all places are taken; come back later".to_owned(),
            retry_after: Some(Duration::from_secs(1)),
        }
    }

    pub(crate) fn not_found() -> Self {
        let detail = "there is no such tool; GET / lists them".to_owned();
        Problem { status: StatusCode::NOT_FOUND, code: "not_found", detail, retry_after: None }
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "tools are called with POST".to_owned();
        Problem { status: StatusCode::METHOD_NOT_ALLOWED, code: "method_not_allowed", detail, retry_after: None }
    }

    /// 500: ours. What happened stands in the log, not in the answer.
    pub(crate) fn internal() -> Self {
        let detail = "the tool server failed; its log says why".to_owned();
        Problem { status: StatusCode::INTERNAL_SERVER_ERROR, code: "internal", detail, retry_after: None }
    }
}

impl From<Unusable> for Problem {
    fn from(reason: Unusable) -> Self {
        Problem::unusable(reason.code(), reason.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            // The one line that a model reads.
            "error": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(delay) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(delay.as_secs()));
        }
        response
    }
}
