//! Text of PDF files.
//!
//! `lopdf` reads the file's structure; the walk over a page's content is ours. Why so, of the pure-Rust choices:
//! `pdf-extract` (MIT) walks pages for us, but on hostile files it ends the process: forms that contain themselves and
//! page trees that are rings recurse without end, streams unpack without limit, and a page with an operand too few
//! panics and loses the whole document; it also ignores the operators `'` and `"`, and holds an older `lopdf`.
//! `pdf_oxide` and `oxidize-pdf` (MIT) are good and maintained, but each is above 400,000 lines with images, office
//! formats and signatures in tow. `lopdf` (MIT, maintained, few dependencies) bounds nesting and unpacking;
//! its own `extract_text` knows no positions, so words and columns run together.
//!
//! Memory is bounded per stream and per page, not per file: give the process a memory limit where strangers upload.

mod font;
mod layout;
mod matrix;
mod page;
mod to_unicode;
mod widths;

use std::time::Instant;

use lopdf::{DecompressError, Document, Error, LoadOptions};

use crate::document::Parsed;
use crate::options::Options;
use crate::text::tidy;
use crate::unusable::Unusable;
use page::{Budget, Walker};

/// How far from the end of a file its `%%EOF` may stand.
const TAIL: usize = 2048;

/// Reads a PDF; counts its pages before it parses them.
pub(crate) fn read(bytes: &[u8], options: &Options, deadline: Instant) -> Result<Parsed, Unusable> {
    let announced = Document::load_metadata_mem(bytes).map_or(0, |metadata| metadata.page_count as usize);
    within(announced, options.max_pages)?;

    let limits = LoadOptions { max_decompressed_size: Some(options.max_unpacked_bytes), ..LoadOptions::default() };
    let file = Document::load_mem_with_options(bytes, limits).map_err(|error| unusable(&error, options))?;
    if file.trailer.get(b"Encrypt").is_ok() && !file.was_encrypted() {
        return Err(Unusable::Encrypted);
    }
    if file.xref_recovery.is_some() && !has_end(bytes) {
        return Err(Unusable::Unreadable("it is cut off".to_owned()));
    }
    let pages: Vec<_> = file.page_iter().take(options.max_pages + 1).collect();
    within(pages.len(), options.max_pages)?;
    if pages.is_empty() || pages.len() < announced {
        return Err(Unusable::Unreadable(format!("only {} of its {announced} pages are there", pages.len())));
    }

    let mut budget = Budget::new(options, deadline);
    let mut walker = Walker::new(&file);
    let mut text = String::new();
    for &page in &pages {
        text.push_str(&walker.page(page, &mut budget)?);
        text.push_str("\n\n");
    }
    let text = tidy(&text);
    if text.is_empty() { Err(Unusable::NoText { pages: pages.len() }) } else { Ok(Parsed { text, pages: pages.len() }) }
}

fn within(pages: usize, max: usize) -> Result<(), Unusable> {
    if max < pages { Err(Unusable::TooManyPages { pages, max }) } else { Ok(()) }
}

fn has_end(bytes: &[u8]) -> bool {
    bytes[bytes.len().saturating_sub(TAIL)..].windows(5).any(|window| window == b"%%EOF")
}

fn unusable(error: &Error, options: &Options) -> Unusable {
    match error {
        Error::InvalidPassword | Error::Decryption(_) | Error::UnsupportedSecurityHandler(_) => Unusable::Encrypted,
        Error::Decompress(DecompressError::MemoryLimitExceeded { .. }) => {
            Unusable::Unpacked { max: options.max_unpacked_bytes }
        }
        other => Unusable::Unreadable(format!("it is not a PDF, cut off or damaged ({other})")),
    }
}
