//! Why a document cannot be used; a variant per code that callers see.

use std::time::Duration;

/// Why a document cannot be used. The same document fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the document is empty")]
    Empty,
    #[error("the document is encrypted; remove its password first")]
    Encrypted,
    #[error("none of the {pages} pages has readable text; a scan or picture needs OCR first")]
    NoText { pages: usize },
    #[error("the document cannot be read: {0}")]
    Unreadable(String),
    #[error("{0} documents are not supported; send PDF or text")]
    Unsupported(&'static str),
    #[error("the document has {pages} pages but at most {max} are read; split it")]
    TooManyPages { pages: usize, max: usize },
    #[error("the document has more than {max} bytes of text; split it")]
    TooMuchText { max: usize },
    #[error("the document unpacks to more than {max} bytes on one page; it may be an attack")]
    Unpacked { max: usize },
    #[error("the document was not read within {0:?}; split it")]
    TooSlow(Duration),
}

impl Unusable {
    /// The stable word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Unusable::Empty => "empty",
            Unusable::Encrypted => "encrypted",
            Unusable::NoText { .. } => "no_text",
            Unusable::Unreadable(_) => "unreadable",
            Unusable::Unsupported(_) => "unsupported",
            Unusable::TooManyPages { .. } => "too_many_pages",
            Unusable::TooMuchText { .. } => "too_much_text",
            Unusable::Unpacked { .. } => "unpacks_too_large",
            Unusable::TooSlow(_) => "too_slow",
        }
    }
}
