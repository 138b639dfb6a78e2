//! The client: one call, one answer, within limits.

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::address::Network;
use super::arguments::{BodyError, body};
use super::bound::BoundTool;
use super::documents::{DocumentError, DocumentSource};
use super::egress::Egress;
use super::error::{Denial, ToolError};
use super::resolver::{Lookup, system_lookup};
use crate::blocking::blocking;

/// The header by which a tool can tell a repetition from a second wish.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The largest answer that is taken, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How much of an error's body is read for its reason, in bytes.
const MAX_PROBLEM: usize = 16 << 10;
/// How much of an error's reason is kept, in characters.
const MAX_DETAIL: usize = 300;

/// Calls tools. One per process, shared: it keeps connections open.
pub struct ToolClient {
    internal: Egress,
    any: Egress,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    /// The answer, its keys in the tool's order; an answer that is not JSON becomes a JSON string.
    pub value: Value,
    /// Its size as it came, in bytes.
    pub bytes: usize,
}

impl ToolClient {
    /// A client that looks names up as the operating system does.
    pub fn new() -> Self {
        ToolClient::with_lookup(&system_lookup())
    }

    pub(super) fn with_lookup(lookup: &Lookup) -> Self {
        let egress = |network| Egress::new(network, lookup.clone());
        ToolClient { internal: egress(Network::Internal), any: egress(Network::Any) }
    }

    /// Calls `tool` and waits for its answer, no longer than its own timeout and the task's `deadline`. Dropping the
    /// future aborts the call. `key` goes out as `Idempotency-Key`: the same for every repetition of this call.
    pub async fn call(
        &self,
        tool: &BoundTool,
        arguments: &Map<String, Value>,
        key: &str,
        documents: &dyn DocumentSource,
        deadline: Instant,
    ) -> Result<ToolOutput, ToolError> {
        let call = Call { tool, key };
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(call.deadline());
        }
        let egress = match tool.network {
            Network::Internal => &self.internal,
            Network::Any => &self.any,
        };
        match timeout(remaining.min(tool.spec.timeout), call.run(egress, arguments, documents)).await {
            Ok(outcome) => outcome,
            Err(_) if remaining <= tool.spec.timeout => Err(call.deadline()),
            Err(_) => Err(call.retryable(format!("no answer within its timeout of {:?}", tool.spec.timeout), None)),
        }
    }
}

impl Default for ToolClient {
    fn default() -> Self {
        ToolClient::new()
    }
}

/// One call; knows how to name itself in errors.
struct Call<'a> {
    tool: &'a BoundTool,
    key: &'a str,
}

impl Call<'_> {
    async fn run(
        &self,
        egress: &Egress,
        arguments: &Map<String, Value>,
        documents: &dyn DocumentSource,
    ) -> Result<ToolOutput, ToolError> {
        let url = self.tool.endpoint.url();
        egress.check_literal(url).map_err(|reason| self.denied(reason))?;
        let spec = &self.tool.spec;
        let body = body(&spec.parameters, &spec.fixed_arguments, arguments, documents)
            .await
            .map_err(|error| self.without_body(error))?;
        let client = egress.client(url).map_err(|detail| self.misconfigured(detail))?;
        let json = blocking(move || body.to_string()).await;
        let request =
            client.post(url.clone()).header(CONTENT_TYPE, "application/json").header(IDEMPOTENCY_KEY, self.key);
        let response = request.body(json).send().await.map_err(|error| self.unsent(&error))?;
        if response.status().is_success() { self.output(response).await } else { Err(self.refused(response).await) }
    }

    async fn output(&self, mut response: Response) -> Result<ToolOutput, ToolError> {
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        if MAX_ANSWER < announced.unwrap_or(0) {
            return Err(self.too_large());
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if MAX_ANSWER < bytes.len() + chunk.len() {
                return Err(self.too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        let size = bytes.len();
        let value = match serde_json::from_slice(&bytes) {
            Ok(value) => value,
            Err(_) => String::from_utf8(bytes)
                .map(Value::String)
                .map_err(|_| self.misconfigured("its answer is neither JSON nor text".to_owned()))?,
        };
        Ok(ToolOutput { value, bytes: size })
    }

    async fn refused(&self, mut response: Response) -> ToolError {
        let status = response.status();
        if status.is_redirection() {
            let location = response.headers().get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
            let location = location.map_or_else(|| "nowhere".to_owned(), |text| shortened(&text));
            return self.denied(Denial::Redirect { status, location });
        }
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let Problem { code, detail } = Problem::read(status, &start_of(&mut response).await);
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                self.retryable(format!("{status}: {detail}"), retry_after)
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_ACCEPTABLE
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED
            | StatusCode::GONE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::NOT_IMPLEMENTED => self.misconfigured(format!("it answered {status}: {detail}")),
            _ if status.is_client_error() => ToolError::Unusable { tool: self.name(), code, detail },
            _ => self.retryable(format!("{status}: {detail}"), retry_after),
        }
    }

    fn without_body(&self, error: BodyError) -> ToolError {
        let unusable = |code: &str, detail| ToolError::Unusable { tool: self.name(), code: code.to_owned(), detail };
        match error {
            BodyError::NotAnId { place, given } => {
                unusable("bad_arguments", format!("{place} must be the id of a document, not {}", shortened(&given)))
            }
            BodyError::NotGranted(id) => self.denied(Denial::NotGranted(id)),
            BodyError::Document(error @ DocumentError::Gone(_)) => unusable("document_gone", error.to_string()),
            BodyError::Document(error @ DocumentError::Store { .. }) => {
                ToolError::Store { tool: self.name(), detail: reason(&error) }
            }
        }
    }

    /// The request had no answer: refused by the resolver, or the network's fault.
    fn unsent(&self, error: &reqwest::Error) -> ToolError {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(denial) = error.downcast_ref::<Denial>() {
                return self.denied(denial.clone());
            }
            cause = error.source();
        }
        self.broken(error)
    }

    fn broken(&self, error: &reqwest::Error) -> ToolError {
        self.retryable(reason(error), None)
    }

    fn name(&self) -> String {
        self.tool.spec.name.clone()
    }

    fn endpoint(&self) -> String {
        self.tool.endpoint.to_string()
    }

    fn retryable(&self, detail: String, retry_after: Option<Duration>) -> ToolError {
        ToolError::Retryable { tool: self.name(), endpoint: self.endpoint(), detail, retry_after }
    }

    fn denied(&self, reason: Denial) -> ToolError {
        ToolError::Denied { tool: self.name(), endpoint: self.endpoint(), reason }
    }

    fn misconfigured(&self, detail: String) -> ToolError {
        ToolError::Misconfigured { tool: self.name(), endpoint: self.endpoint(), detail }
    }

    fn too_large(&self) -> ToolError {
        ToolError::TooLarge { tool: self.name(), endpoint: self.endpoint(), max: MAX_ANSWER }
    }

    fn deadline(&self) -> ToolError {
        ToolError::Deadline { tool: self.name(), endpoint: self.endpoint() }
    }
}

/// What an error's body says.
#[derive(Debug, PartialEq)]
struct Problem {
    code: String,
    detail: String,
}

impl Problem {
    /// Understands problem+json (RFC 9457) with a `code`, `{"error": "…"}`, and plain text.
    fn read(status: StatusCode, body: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = |key: &str| json.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(shortened);
        let plain =
            || json.is_null().then(|| shortened(&String::from_utf8_lossy(body))).filter(|text| !text.is_empty());
        let detail = text("detail").or_else(|| text("error")).or_else(|| text("title")).or_else(plain);
        Problem {
            code: text("code").unwrap_or_else(|| format!("http_{}", status.as_u16())),
            detail: detail.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned()),
        }
    }
}

/// The first bytes of an error's body; what cannot be read does not hide the status.
async fn start_of(response: &mut Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if MAX_PROBLEM <= bytes.len() {
            bytes.truncate(MAX_PROBLEM);
            break;
        }
    }
    bytes
}

/// Seconds, or the time until an HTTP date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(SystemTime::from(moment).duration_since(now).unwrap_or_default())
}

/// An error with its causes in one line. Addresses are named by the caller.
pub(crate) fn reason(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    shortened(&text)
}

/// One line of a bounded length.
fn shortened(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(MAX_DETAIL) {
        line.truncate(end);
        line.push('…');
    }
    line
}
