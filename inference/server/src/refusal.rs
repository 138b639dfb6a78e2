//! Every error, in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`. Made in this one place.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use inference::ReplyError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::body::MAX_BODY_BYTES;

/// Why there is no answer, or no more of it.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    retry_after: Option<u32>,
    body: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// For people.
    message: String,
    /// `invalid_request_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The part of the request that is at fault.
    param: Option<String>,
    /// For programs; it does not change.
    code: &'static str,
}

/// Every error's body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorResponse {
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

    /// The request is at fault.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// The request is at fault at `param`.
    pub fn invalid(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Refusal::bad(code, message).about(param)
    }

    /// What follows from the body's bytes alone.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Refusal::bad("invalid_json", message)
    }

    /// The body did not come in time.
    pub fn slow_body(patience: Duration) -> Self {
        let message = format!("the body did not come within {} s; send it faster", patience.as_secs_f64());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
    }

    /// The body is longer than any that is of use.
    pub fn large_body() -> Self {
        let message = format!("the body has more than {MAX_BODY_BYTES} bytes; shorten it");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    }

    /// There is no model of that name.
    pub fn unknown_model(name: &str, known: &[&str]) -> Self {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message = format!("there is no model {name:?}; this server has {known}");
        Refusal::new(StatusCode::NOT_FOUND, "model_not_found", message).about("model")
    }

    /// The models are not loaded yet.
    pub(crate) fn loading(retry_after: u32) -> Self {
        let message = "models are loading; ask again in a moment";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "starting", message).retry_after(retry_after)
    }

    /// The route exists for another method.
    pub(crate) fn wrong_method() -> Self {
        let message = "the route does not take this method; the header Allow says which it takes";
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
    }

    /// A server that the request was passed on to does not take it from this one: no fault of the caller.
    pub fn turned_away(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_GATEWAY, "turned_away", message)
    }

    /// A defect of ours.
    pub(crate) fn defect(error: &dyn std::error::Error) -> Self {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("a defect of the server: {error}"))
    }

    /// The model gives no answer, or no more of it; `prompt` is the parameter that a prompt comes in.
    pub fn of_reply(error: ReplyError, prompt: &'static str) -> Self {
        let message = error.to_string();
        match error {
            ReplyError::TooLong { .. } => Refusal::invalid(prompt, "context_length_exceeded", message),
            ReplyError::BadRequest(_) => Refusal::invalid(prompt, "invalid_value", message),
            ReplyError::BadSchema(_) => Refusal::bad("unsupported_schema", message),
            ReplyError::LengthLimit { .. } => Refusal::invalid("max_tokens", "max_tokens_reached", message),
            ReplyError::Overloaded { .. } => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", message).retry_after(1)
            }
            ReplyError::Stopped => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message).retry_after(5),
            ReplyError::Unavailable(_) => {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_after(5)
            }
            ReplyError::Deadline { .. } => Refusal::new(StatusCode::GATEWAY_TIMEOUT, "deadline_passed", message),
            ReplyError::Failed(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "model_failed", message),
        }
    }

    /// At a place as serde_path_to_error names it: the whole is a dot.
    pub(crate) fn about_place(self, place: &str) -> Self {
        if place == "." { self } else { self.about(place) }
    }

    fn about(mut self, param: impl Into<String>) -> Self {
        self.body.param = Some(param.into());
        self
    }

    fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// As the last event of a stream that had begun; the official clients raise it.
    pub(crate) fn into_event(self) -> Result<Event, axum::Error> {
        Event::default().event("error").json_data(ErrorResponse { error: self.body })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorResponse { error: self.body })).into_response();
        // The official clients ask again after any 408 and 5xx; here the model would only do the same work once more.
        let is_final = self.status == StatusCode::REQUEST_TIMEOUT || self.status.is_server_error();
        if is_final && self.retry_after.is_none() {
            response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
