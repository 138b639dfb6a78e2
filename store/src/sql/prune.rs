//! Forgetting by age: ended tasks, and documents that no task refers to.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::{AssertSqlSafe, Error};
use types::{DocumentId, TaskId, TaskState};

use super::purge::forget;
use super::query::{Given, query};
use super::request::Alone;
use super::transaction::Transaction;
use crate::audit::Actor;
use crate::controls::{Pruned, Retention};

pub(crate) struct Prune {
    pub(crate) retention: Retention,
    pub(crate) limit: u32,
}

#[async_trait]
impl Alone for Prune {
    type Answer = Pruned;

    const DOING: &'static str = "forget what is old";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Pruned, Error> {
        let Retention { succeeded, failed, cancelled, dead, documents } = self.retention;
        let mut pruned = Pruned::default();
        for (state, kept) in [
            (TaskState::Succeeded, succeeded),
            (TaskState::Failed, failed),
            (TaskState::Cancelled, cancelled),
            (TaskState::Dead, dead),
        ] {
            if let Some(kept) = kept {
                pruned.tasks += tasks(tx, state, kept, self.limit - pruned.tasks).await?;
            }
        }
        if let Some(kept) = documents {
            pruned.documents = unused(tx, kept, self.limit).await?;
        }
        Ok(pruned)
    }
}

/// A message that has not reached its receiver yet keeps its task.
async fn tasks(tx: &mut Transaction<'_>, state: TaskState, kept: Duration, limit: u32) -> Result<u32, Error> {
    let old = AssertSqlSafe(format!(
        "SELECT id FROM tasks
         WHERE state = $1 AND finished_at IS NOT NULL AND finished_at <= $2
           AND NOT EXISTS (SELECT 1 FROM webhooks WHERE task_id = tasks.id AND webhooks.state = 'pending')
         ORDER BY finished_at LIMIT $3{}",
        tx.dialect().for_update_skip_locked()
    ));
    let old = query(old).bind(state).bind(tx.now.before(kept)).bind(limit);
    let tasks = tx.rows(old).await?.iter().map(|row| row.parse("id")).collect::<Result<Vec<TaskId>, _>>()?;
    if tasks.is_empty() {
        return Ok(0);
    }
    forget(tx, &tasks).await?;
    for task in &tasks {
        tx.audit(&Actor::system(), "task.prune", &task.to_string(), json!({ "state": state }));
    }
    Ok(u32::try_from(tasks.len()).unwrap_or(u32::MAX))
}

/// Documents, and then the contents that went by their names alone.
async fn unused(tx: &mut Transaction<'_>, kept: Duration, limit: u32) -> Result<u32, Error> {
    let old = AssertSqlSafe(format!(
        "SELECT id, team, sha256 FROM documents
         WHERE wanted_at <= $1 AND NOT EXISTS (SELECT 1 FROM task_documents WHERE document_id = documents.id)
         ORDER BY wanted_at LIMIT $2{}",
        tx.dialect().for_update_skip_locked()
    ));
    let (mut documents, mut contents) = (Given::new(&["id"]), Given::new(&["team", "sha256"]));
    for row in tx.rows(query(old).bind(tx.now.before(kept)).bind(limit)).await? {
        documents.push([row.get::<String>("id")?.into()]);
        contents.push([row.get::<String>("team")?.into(), row.get::<String>("sha256")?.into()]);
    }
    if documents.is_empty() {
        return Ok(0);
    }
    // Looked at again: a task may have come to refer to one before it was held here.
    let gone = documents.query(
        "DELETE FROM documents WHERE id IN (SELECT id FROM {given})
           AND NOT EXISTS (SELECT 1 FROM task_documents WHERE document_id = documents.id)
         RETURNING id",
    );
    let gone = tx.rows(gone).await?.iter().map(|row| row.parse("id")).collect::<Result<Vec<DocumentId>, _>>()?;
    for document in &gone {
        tx.audit(&Actor::system(), "document.prune", document.as_str(), json!({}));
    }
    tx.execute(contents.query(
        "DELETE FROM document_contents
         WHERE (team, sha256) IN (SELECT team, sha256 FROM {given})
           AND NOT EXISTS (SELECT 1 FROM documents
                           WHERE documents.team = document_contents.team AND documents.sha256 = document_contents.sha256)",
    ))
    .await?;
    Ok(u32::try_from(gone.len()).unwrap_or(u32::MAX))
}
