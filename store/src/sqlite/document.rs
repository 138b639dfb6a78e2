//! Documents: content once per team, under its names.

use async_trait::async_trait;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::sqlite::Sqlite;
use sqlx::{Error, Executor, FromRow, SqlitePool};
use tokio::task::spawn_blocking;
use types::{DocumentId, TeamName, Timestamp};

use super::accept::hex;
use super::row::{parse, signed};
use super::transaction::Transaction;
use super::writer::Request;
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
impl Request for PutDocument {
    type Answer = Document;

    const DOING: &'static str = "store a document";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Document, Error> {
        if let Some(known) = self.find_same(tx).await? {
            return Ok(known);
        }
        sqlx::query(
            "INSERT INTO document_contents (team, sha256, bytes) VALUES ($1, $2, $3) ON CONFLICT (team, sha256) DO NOTHING",
        )
        .bind(self.document.team.as_str())
        .bind(&self.sha256)
        .bind(&self.document.bytes)
        .execute(&mut *tx.connection)
        .await?;
        let document = Document {
            id: DocumentId::random(),
            team: self.document.team.clone(),
            name: self.document.name.clone(),
            media_type: self.document.media_type.clone(),
            size_bytes: self.document.bytes.len() as u64,
            sha256: self.sha256.clone(),
            stored_at: tx.now,
        };
        sqlx::query(
            "INSERT INTO documents (id, team, sha256, name, media_type, size_bytes, stored_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(document.id.as_str())
        .bind(document.team.as_str())
        .bind(&document.sha256)
        .bind(&document.name)
        .bind(&document.media_type)
        .bind(signed(document.size_bytes))
        .bind(document.stored_at.as_millis())
        .execute(&mut *tx.connection)
        .await?;
        let details = json!({ "team": document.team, "sha256": document.sha256, "size_bytes": document.size_bytes });
        tx.audit(&self.actor, "document.store", document.id.as_str(), details).await?;
        Ok(document)
    }
}

impl PutDocument {
    async fn find_same(&self, tx: &mut Transaction<'_>) -> Result<Option<Document>, Error> {
        let id: Option<String> = sqlx::query_scalar(
            "SELECT id FROM documents WHERE team = $1 AND sha256 = $2 AND name = $3 AND media_type = $4",
        )
        .bind(self.document.team.as_str())
        .bind(&self.sha256)
        .bind(&self.document.name)
        .bind(&self.document.media_type)
        .fetch_optional(&mut *tx.connection)
        .await?;
        match id {
            Some(id) => find(&mut *tx.connection, &self.document.team, &parse(&id)?).await,
            None => Ok(None),
        }
    }
}

#[derive(FromRow)]
struct DocumentRow {
    id: String,
    team: String,
    name: String,
    media_type: String,
    size_bytes: i64,
    sha256: String,
    stored_at: i64,
}

pub(crate) async fn find<'c>(
    executor: impl Executor<'c, Database = Sqlite>,
    team: &TeamName,
    id: &DocumentId,
) -> Result<Option<Document>, Error> {
    let row: Option<DocumentRow> = sqlx::query_as(
        "SELECT id, team, name, media_type, size_bytes, sha256, stored_at FROM documents WHERE id = $1 AND team = $2",
    )
    .bind(id.as_str())
    .bind(team.as_str())
    .fetch_optional(executor)
    .await?;
    row.map(|row| {
        Ok(Document {
            id: parse(&row.id)?,
            team: parse(&row.team)?,
            name: row.name,
            media_type: row.media_type,
            size_bytes: row.size_bytes.unsigned_abs(),
            sha256: row.sha256,
            stored_at: Timestamp::from_millis(row.stored_at),
        })
    })
    .transpose()
}

pub(crate) async fn bytes(readers: &SqlitePool, team: &TeamName, id: &DocumentId) -> Result<Option<Vec<u8>>, Error> {
    sqlx::query_scalar(
        "SELECT contents.bytes FROM documents
         JOIN document_contents AS contents
           ON contents.team = documents.team AND contents.sha256 = documents.sha256
         WHERE documents.id = $1 AND documents.team = $2",
    )
    .bind(id.as_str())
    .bind(team.as_str())
    .fetch_optional(readers)
    .await
}
