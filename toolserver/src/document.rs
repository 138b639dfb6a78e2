//! A document as it comes in, and the text that comes out of it.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::options::Options;
use crate::problem::Problem;
use crate::unusable::Unusable;
use crate::{pdf, text};

/// A document in a request.
#[derive(Debug, Deserialize)]
pub(crate) struct DocumentInput {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) media_type: String,
    content_base64: String,
}

impl DocumentInput {
    /// The bytes; base64 is checked here so that the rest knows only documents.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Problem> {
        STANDARD.decode(&self.content_base64).map_err(|error| {
            Problem::bad_request("bad_base64", format!("document.content_base64 is not base64: {error}"))
        })
    }

    /// What the sender says it is, for documents whose content does not say.
    pub(crate) fn claims_pdf(&self) -> bool {
        let media_type = self.media_type.to_ascii_lowercase();
        media_type.starts_with("application/pdf") || self.name.to_ascii_lowercase().ends_with(".pdf")
    }
}

/// A document's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Parsed {
    pub(crate) text: String,
    pub(crate) pages: usize,
}

/// Reads a document. Blocking; checks `deadline` wherever the libraries below allow it.
pub(crate) fn read(bytes: &[u8], claims_pdf: bool, options: &Options, deadline: Instant) -> Result<Parsed, Unusable> {
    match format(bytes, claims_pdf) {
        _ if bytes.is_empty() => Err(Unusable::Empty),
        Format::Pdf => pdf::read(bytes, options, deadline),
        Format::Other(name) => Err(Unusable::Unsupported(name)),
        Format::Text => text::read(bytes, options.max_text_bytes).map(|text| Parsed { text, pages: 1 }),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Format {
    Pdf,
    Text,
    Other(&'static str),
}

/// The content decides; the claim only where it does not.
fn format(bytes: &[u8], claims_pdf: bool) -> Format {
    const KNOWN: [(&[u8], &str); 7] = [
        (b"PK\x03\x04", "Office and zip"),
        (b"\xd0\xcf\x11\xe0", "old Office"),
        (b"\x89PNG", "PNG"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"GIF8", "GIF"),
        (b"\x1f\x8b", "gzip"),
        (b"{\\rtf", "RTF"),
    ];
    // The header may be preceded by junk, which readers skip.
    let head = &bytes[..bytes.len().min(1024)];
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Format::Pdf;
    }
    match KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        Some((_, name)) => Format::Other(name),
        None if claims_pdf => Format::Pdf,
        None => Format::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_the_format_before_the_claim() {
        assert_eq!(format(b"junk\n%PDF-1.7\n", false), Format::Pdf);
        assert_eq!(format(b"PK\x03\x04rest", true), Format::Other("Office and zip"));
        assert_eq!(format(b"plain", false), Format::Text);
        assert_eq!(format(b"plain", true), Format::Pdf);
    }
}
