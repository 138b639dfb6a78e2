//! Documents: content once per team, under its names.

use async_trait::async_trait;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Error;
use tokio::task::spawn_blocking;
use types::{DocumentId, TeamName};

use super::accept::hex;
use super::connection::Sql;
use super::query::query;
use super::request::Alone;
use super::row::Row;
use super::transaction::Transaction;
use crate::audit::Actor;
use crate::document::{Document, NewDocument};
use crate::error::StoreError;

pub(crate) struct PutDocument {
    document: NewDocument,
    sha256: String,
    actor: Actor,
}

impl PutDocument {
    /// Hashes here, so that the writer does not, and on a thread where it holds nobody up.
    pub(crate) async fn new(document: NewDocument, actor: Actor) -> Result<Self, StoreError> {
        let hashed = move || {
            let sha256 = hex(&Sha256::digest(&document.bytes));
            PutDocument { document, sha256, actor }
        };
        // Hashing has nothing to fail by: no thread takes it only when the process ends.
        spawn_blocking(hashed).await.map_err(|_| StoreError::Closed)
    }
}

#[async_trait]
impl Alone for PutDocument {
    type Answer = Document;

    const DOING: &'static str = "store a document";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Document, Error> {
        if let Some(known) = self.want_again(tx).await? {
            return Ok(known);
        }
        let contents = query(
            "INSERT INTO document_contents (team, sha256, bytes) VALUES ($1, $2, $3) ON CONFLICT (team, sha256) DO NOTHING",
        );
        let contents = contents.bind(&self.document.team).bind(&self.sha256).bind(self.document.bytes.clone());
        tx.execute(contents).await?;
        let document = Document {
            id: DocumentId::random(),
            team: self.document.team.clone(),
            name: self.document.name.clone(),
            media_type: self.document.media_type.clone(),
            size_bytes: self.document.bytes.len() as u64,
            sha256: self.sha256.clone(),
            stored_at: tx.now,
        };
        let insert = query(
            "INSERT INTO documents (id, team, sha256, name, media_type, size_bytes, stored_at, wanted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        );
        let insert = insert.bind(&document.id).bind(&document.team).bind(&document.sha256).bind(&document.name);
        tx.execute(insert.bind(&document.media_type).bind(document.size_bytes).bind(document.stored_at)).await?;
        let details = json!({ "team": document.team, "sha256": document.sha256, "size_bytes": document.size_bytes });
        tx.audit(&self.actor, "document.store", document.id.as_str(), details);
        Ok(document)
    }
}

impl PutDocument {
    /// The same document, if it is there: kept as long as one that is new.
    async fn want_again(&self, tx: &mut Transaction<'_>) -> Result<Option<Document>, Error> {
        let update = query(
            "UPDATE documents SET wanted_at = $5 WHERE team = $1 AND sha256 = $2 AND name = $3 AND media_type = $4
             RETURNING id, team, name, media_type, size_bytes, sha256, stored_at",
        );
        let update = update.bind(&self.document.team).bind(&self.sha256).bind(&self.document.name);
        let row = tx.row(update.bind(&self.document.media_type).bind(tx.now)).await?;
        row.as_ref().map(Document::try_from).transpose()
    }
}

impl TryFrom<&Row> for Document {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Document {
            id: row.parse("id")?,
            team: row.parse("team")?,
            name: row.get("name")?,
            media_type: row.get("media_type")?,
            size_bytes: row.get("size_bytes")?,
            sha256: row.get("sha256")?,
            stored_at: row.get("stored_at")?,
        })
    }
}

pub(crate) async fn find(sql: &mut dyn Sql, team: &TeamName, id: &DocumentId) -> Result<Option<Document>, Error> {
    let select = query(
        "SELECT id, team, name, media_type, size_bytes, sha256, stored_at FROM documents WHERE id = $1 AND team = $2",
    );
    let rows = sql.rows(select.bind(id).bind(team)).await?;
    rows.first().map(Document::try_from).transpose()
}

pub(crate) async fn bytes(sql: &mut dyn Sql, team: &TeamName, id: &DocumentId) -> Result<Option<Vec<u8>>, Error> {
    let select = query(
        "SELECT contents.bytes AS bytes FROM documents
         JOIN document_contents AS contents
           ON contents.team = documents.team AND contents.sha256 = documents.sha256
         WHERE documents.id = $1 AND documents.team = $2",
    );
    let rows = sql.rows(select.bind(id).bind(team)).await?;
    rows.first().map(|row| row.get("bytes")).transpose()
}
