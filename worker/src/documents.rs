//! A task's documents, read from the store when a tool needs their bytes.

use std::sync::Arc;

use async_trait::async_trait;
use store::{Store, StoreError};
use types::{DocumentId, TeamName};

use crate::tools::{Document, DocumentError, DocumentSource};

/// What one task may hand to its tools.
pub(crate) struct TaskDocuments {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) team: TeamName,
    pub(crate) granted: Vec<DocumentId>,
}

#[async_trait]
impl DocumentSource for TaskDocuments {
    fn granted(&self) -> &[DocumentId] {
        &self.granted
    }

    async fn load(&self, id: &DocumentId) -> Result<Document, DocumentError> {
        let failed = |error: StoreError| DocumentError::Store { id: id.clone(), source: Box::new(error) };
        let found = self.store.document(&self.team, id).await.map_err(failed)?;
        let bytes = self.store.document_bytes(&self.team, id).await.map_err(failed)?;
        let (Some(document), Some(bytes)) = (found, bytes) else {
            return Err(DocumentError::Gone(id.clone()));
        };
        Ok(Document { id: document.id, name: document.name, media_type: document.media_type, bytes })
    }
}
