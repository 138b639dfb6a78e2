//! How urgent a request is and whose it is. A header comes before the body, so that a proxy can decide it.

use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use inference::CacheSalt;
use types::TaskClass;

use crate::Options;
use crate::refusal::Refusal;

const PRIORITY: &str = "x-talon-priority";
const DEADLINE: &str = "x-talon-deadline-ms";
const CACHE_SALT: &str = "x-talon-cache-salt";

/// A request's place among others.
#[derive(Clone, Copy)]
pub(crate) struct Routing {
    pub(crate) class: TaskClass,
    pub(crate) cache_salt: CacheSalt,
    /// None where it lies beyond the clock's end.
    pub(crate) deadline: Option<Instant>,
}

impl Routing {
    pub(crate) fn new(
        priority: Option<TaskClass>,
        deadline_ms: Option<u64>,
        cache_salt: Option<String>,
        headers: &HeaderMap,
        options: &Options,
    ) -> Result<Self, Refusal> {
        let deadline_ms = header(headers, DEADLINE)?.or(deadline_ms);
        if deadline_ms == Some(0) {
            return Err(Refusal::invalid("deadline_ms", "invalid_value", "deadline_ms is 0 but must be at least 1"));
        }
        let patience = deadline_ms.map_or(options.request_timeout, Duration::from_millis).min(options.request_timeout);
        let cache_salt: Option<String> = header(headers, CACHE_SALT)?.or(cache_salt);
        if cache_salt.as_deref() == Some("") {
            return Err(Refusal::invalid(
                "cache_salt",
                "invalid_value",
                "cache_salt is empty; give one, or leave it out",
            ));
        }
        Ok(Routing {
            class: header(headers, PRIORITY)?.or(priority).unwrap_or_default(),
            cache_salt: cache_salt.as_deref().map_or_else(CacheSalt::default, CacheSalt::of),
            deadline: Instant::now().checked_add(patience),
        })
    }
}

fn header<T: FromStr<Err: Display>>(headers: &HeaderMap, name: &'static str) -> Result<Option<T>, Refusal> {
    let refuse = |reason: String| Refusal::invalid(name, "invalid_value", format!("the header {name}: {reason}"));
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| refuse("it holds other signs than ASCII's".to_owned()))?;
    text.parse().map(Some).map_err(|error: T::Err| refuse(error.to_string()))
}
