//! The server's limits. The defaults fit a machine that other services share.

use std::time::Duration;

/// Limits on what the tools take and do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The largest request in bytes; a document is a third larger in base64. See [`Options::for_documents`].
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

/// Room in a request for what stands beside its document: names, a schema, other arguments.
const ENVELOPE_BYTES: usize = 1 << 20;

impl Options {
    /// The defaults, with room in a request for a document of this size.
    pub fn for_documents(max_document_bytes: u64) -> Self {
        let bytes = usize::try_from(max_document_bytes).unwrap_or(usize::MAX);
        let base64 = bytes.div_ceil(3).saturating_mul(4);
        let default = Options::default();
        Options { max_body_bytes: default.max_body_bytes.max(base64.saturating_add(ENVELOPE_BYTES)), ..default }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_the_largest_size_fits_into_a_request() {
        let max_body_bytes = |document: u64| Options::for_documents(document).max_body_bytes;
        assert_eq!(max_body_bytes(1), Options::default().max_body_bytes);
        assert_eq!(max_body_bytes(30 << 20), (40 << 20) + ENVELOPE_BYTES);
        assert_eq!(max_body_bytes((30 << 20) + 1), (40 << 20) + 4 + ENVELOPE_BYTES);
        assert_eq!(max_body_bytes(u64::MAX), usize::MAX);
    }
}
