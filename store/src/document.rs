//! Documents: stored once, referred to by tasks.

use serde::Serialize;
use types::{DocumentId, TeamName, Timestamp};

/// A document to store. The same bytes of one team are kept once, whatever their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDocument {
    /// Who owns it.
    pub team: TeamName,
    /// The file's name.
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A stored document, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Its id. The same content under the same name and type has the same id.
    pub id: DocumentId,
    /// Who owns it.
    pub team: TeamName,
    /// The file's name.
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// When it was stored first.
    pub stored_at: Timestamp,
}
