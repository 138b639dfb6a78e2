//! The server's limits. The defaults fit a machine that other services share.

use std::time::Duration;

/// Limits on what the tools take and do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The largest request in bytes; a document is a third larger in base64.
    pub max_body_bytes: usize,
    /// Requests that are taken at the same time, and with them the memory for their bodies; more are told to come back.
    pub max_requests: usize,
    /// The most pages a document may have.
    pub max_pages: usize,
    /// The longest text that is returned, in bytes.
    pub max_text_bytes: usize,
    /// The most bytes that one stream of a PDF, or the content of one page, may unpack to.
    pub max_unpacked_bytes: usize,
    /// The longest that one document may take.
    pub parse_timeout: Duration,
    /// Documents that are read at the same time; more wait.
    pub parse_concurrency: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_body_bytes: 32 << 20,
            max_requests: 32,
            max_pages: 500,
            max_text_bytes: 1 << 20,
            max_unpacked_bytes: 32 << 20,
            parse_timeout: Duration::from_secs(20),
            parse_concurrency: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
