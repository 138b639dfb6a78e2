//! The store in one SQLite file, owned by one process.
//!
//! One connection writes and a few read (WAL, `synchronous=FULL`). Writes that wait together share one transaction and
//! one sync to disk; see `writer`. Each verb that writes is a [`Request`](writer::Request) in a file of its own.

mod accept;
mod cancel;
mod claim;
mod document;
mod end;
mod faults;
mod lock;
mod lost;
mod opening;
mod outbox;
mod read;
mod requeue;
mod row;
mod schema;
mod settings;
mod step;
mod sweep;
mod transaction;
mod unbuilt;
mod writer;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqlitePool;
use tokio::sync::broadcast;
use types::{DocumentId, TaskId, TeamName, WorkerId};

use crate::audit::{Actor, AuditEntry};
use crate::change::Change;
use crate::clock::Clock;
use crate::document::{Document, NewDocument};
use crate::error::StoreError;
use crate::figures::{Conservation, Figures};
use crate::outcome::{Ended, Ending};
use crate::step::{Event, NewStep, Step};
use crate::store::{Cancelling, Edit, Fence, LeaseSweep, Opened, Purging, Renewal, Requeueing, Store, Swept, Waiting};
use crate::task::{AcceptError, Accepted, NewTask, Task, TaskFilter, TaskPage};
use faults::Faults;
pub use settings::SqliteSettings;
use unbuilt::unbuilt;
use writer::Writer;

/// The embedded [`Store`].
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    changes: broadcast::Sender<Change>,
    clock: Clock,
    faults: Faults,
}

impl SqliteStore {
    /// Opens the file, or makes it, and brings its schema up to date. The process owns it until [`Store::close`].
    ///
    /// Whoever held leases in an earlier process is gone, so those have expired.
    pub async fn open(settings: SqliteSettings) -> Result<Self, StoreError> {
        opening::open(settings).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        tasks: Vec<NewTask>,
        actor: &Actor,
    ) -> Result<Vec<Result<Accepted, AcceptError>>, StoreError> {
        self.writer.write(accept::Accept { tasks, actor: actor.clone() }).await
    }

    async fn cancel(&self, task: TaskId, actor: &Actor) -> Result<Cancelling, StoreError> {
        self.writer.write(cancel::Cancel { task, actor: actor.clone() }).await
    }

    async fn requeue(&self, task: TaskId, edit: &Edit, actor: &Actor) -> Result<Requeueing, StoreError> {
        self.writer.write(requeue::Requeue { task, edit: edit.clone(), actor: actor.clone() }).await
    }

    async fn purge(&self, _: TaskId, _: &Actor) -> Result<Purging, StoreError> {
        Err(unbuilt("purge a dead letter"))
    }

    async fn open(&self, task: TaskId, worker: &WorkerId, lease_timeout: Duration) -> Result<Opened, StoreError> {
        self.writer.write(claim::Claim { task, worker: worker.clone(), lease_timeout }).await
    }

    async fn renew(&self, held: &[Fence], lease_timeout: Duration) -> Result<Vec<Renewal>, StoreError> {
        self.writer.write(claim::Renew { held: held.to_vec(), lease_timeout }).await
    }

    async fn record_step(&self, fence: Fence, step: NewStep) -> Result<u32, StoreError> {
        self.writer.write(step::RecordStep { fence, step }).await?.ok_or(lost(fence))
    }

    async fn end(&self, fence: Fence, ending: Ending) -> Result<Ended, StoreError> {
        self.writer.write(end::End { fence, ending }).await?.ok_or(lost(fence))
    }

    async fn put_document(&self, document: NewDocument, actor: &Actor) -> Result<Document, StoreError> {
        self.writer.write(document::PutDocument::new(document, actor.clone()).await?).await
    }

    async fn document(&self, team: &TeamName, id: &DocumentId) -> Result<Option<Document>, StoreError> {
        document::find(&self.readers, team, id).await.map_err(self.faults.during("read a document"))
    }

    async fn document_bytes(&self, team: &TeamName, id: &DocumentId) -> Result<Option<Vec<u8>>, StoreError> {
        document::bytes(&self.readers, team, id).await.map_err(self.faults.during("read a document"))
    }

    async fn task(&self, task: TaskId) -> Result<Option<Task>, StoreError> {
        read::task(&self.readers, task).await.map_err(self.faults.during("read a task"))
    }

    async fn tasks(&self, filter: &TaskFilter, before: Option<TaskId>, limit: u32) -> Result<TaskPage, StoreError> {
        read::tasks(&self.readers, filter, before, limit).await.map_err(self.faults.during("list tasks"))
    }

    async fn events(&self, task: TaskId, after_seq: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        read::events(&self.readers, task, after_seq, limit).await.map_err(self.faults.during("read events"))
    }

    async fn steps(&self, task: TaskId) -> Result<Vec<Step>, StoreError> {
        read::steps(&self.readers, task).await.map_err(self.faults.during("read steps"))
    }

    async fn audit(&self, after_seq: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        read::audit(&self.readers, after_seq, limit).await.map_err(self.faults.during("read the audit log"))
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        read::figures(&self.readers, self.clock.now()).await.map_err(self.faults.during("read the figures"))
    }

    async fn conservation(&self) -> Result<Conservation, StoreError> {
        read::conservation(&self.readers).await.map_err(self.faults.during("count tasks"))
    }

    async fn sweep(&self, limit: u32, leases: LeaseSweep) -> Result<Swept, StoreError> {
        let now = self.clock.now();
        if sweep::is_anything_due(&self.readers, now, leases).await.map_err(self.faults.during("look for due tasks"))? {
            self.writer.write(sweep::Sweep { limit, leases }).await
        } else {
            Ok(Swept::default())
        }
    }

    async fn take_outbox(&self, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        if outbox::is_empty(&self.readers).await.map_err(self.faults.during("read the outbox"))? {
            return Ok(Vec::new());
        }
        self.writer.write(outbox::Take { limit }).await
    }

    async fn still_queued(&self, tasks: &[TaskId]) -> Result<Vec<Waiting>, StoreError> {
        outbox::still_queued(&self.readers, tasks).await.map_err(self.faults.during("read waiting tasks"))
    }

    async fn queued(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        outbox::queued(&self.readers, after, limit).await.map_err(self.faults.during("read waiting tasks"))
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn lost(fence: Fence) -> StoreError {
    StoreError::LeaseLost { task: fence.task, attempt: fence.attempt }
}
