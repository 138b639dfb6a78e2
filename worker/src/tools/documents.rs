//! Where a tool's documents come from. The model knows ids; tools get bytes.

use async_trait::async_trait;
use types::DocumentId;

/// A document as a tool gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: DocumentId,
    /// The name it was uploaded under; for people and for guessing the format.
    pub name: String,
    /// The media type it was uploaded as, such as `application/pdf`.
    pub media_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The documents of one task.
#[async_trait]
pub trait DocumentSource: Send + Sync {
    /// The ids that the task may use. An id outside this list never reaches [`load`](DocumentSource::load).
    fn granted(&self) -> &[DocumentId];

    /// The document with this id.
    async fn load(&self, id: &DocumentId) -> Result<Document, DocumentError>;
}

/// Why a document of the task could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It was erased after the task was accepted: the task cannot be done.
    #[error("document {0} is no longer stored")]
    Gone(DocumentId),
    /// The store did not answer, which is not the task's fault.
    #[error("document {id} could not be read from the store")]
    Store {
        /// The document.
        id: DocumentId,
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
