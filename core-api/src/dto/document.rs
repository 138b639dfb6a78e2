//! Stored documents.

use serde::{Deserialize, Serialize};
use types::{DocumentId, Timestamp};
use utoipa::ToSchema;

/// A stored document, without its bytes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DocumentView {
    /// Its id; tasks refer to it.
    pub id: DocumentId,
    /// The file's name.
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    /// Its length.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// When it was stored first.
    pub stored_at: Timestamp,
}

impl From<store::Document> for DocumentView {
    fn from(document: store::Document) -> Self {
        DocumentView {
            id: document.id,
            name: document.name,
            media_type: document.media_type,
            size_bytes: document.size_bytes,
            sha256: document.sha256,
            stored_at: document.stored_at,
        }
    }
}
