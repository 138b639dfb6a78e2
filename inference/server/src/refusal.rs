//! Every error, in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`. Made in this one place.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use inference::ReplyError;
use serde::Serialize;

use crate::MAX_BODY_BYTES;

/// Why there is no completion.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    retry_after: Option<u32>,
    body: ErrorBody,
}

#[derive(Debug, Serialize)]
struct ErrorBody {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The part of the request that is at fault.
    param: Option<String>,
    code: &'static str,
}

#[derive(Serialize)]
struct Envelope {
    error: ErrorBody,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        Refusal { status, retry_after: None, body: ErrorBody { message: message.into(), kind, param: None, code } }
    }

    /// The request is at fault at `param`.
    pub(crate) fn invalid(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, code, message).about(param)
    }

    /// What follows from the body's bytes alone.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_json", message)
    }

    /// There is no model of that name.
    pub(crate) fn unknown_model<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Self {
        let known = known.map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("there is no model {name:?}; this server has {known}");
        Refusal::new(StatusCode::NOT_FOUND, "model_not_found", message).about("model")
    }

    fn about(mut self, param: impl Into<String>) -> Self {
        self.body.param = Some(param.into());
        self
    }

    fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body has more than {MAX_BODY_BYTES} bytes; shorten the conversation");
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
            }
            _ => Refusal::unreadable(format!("the body broke off: {}; send it again", rejection.body_text())),
        }
    }
}

impl From<ReplyError> for Refusal {
    fn from(error: ReplyError) -> Self {
        let message = error.to_string();
        match error {
            ReplyError::TooLong { .. } => Refusal::invalid("messages", "context_length_exceeded", message),
            ReplyError::BadSchema(_) => Refusal::new(StatusCode::BAD_REQUEST, "unsupported_schema", message),
            ReplyError::LengthLimit { usage } => {
                let message = format!(
                    "the reply did not end within {} tokens; raise max_tokens or ask for less",
                    usage.completion_tokens
                );
                Refusal::invalid("max_tokens", "max_tokens_reached", message)
            }
            ReplyError::Overloaded { .. } => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", message).retry_after(1)
            }
            ReplyError::Stopped => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message).retry_after(5),
            ReplyError::Deadline { .. } => Refusal::new(StatusCode::GATEWAY_TIMEOUT, "deadline_passed", message),
            ReplyError::Failed(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "model_failed", message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Envelope { error: self.body })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
