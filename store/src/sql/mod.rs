//! The store over SQL: every verb once, for every database.
//!
//! One connection writes and a few read. Writes that wait together share one transaction and one sync to disk; see
//! `writer`. Each verb that writes is a [`Request`](request::Request) in a file of its own; what databases do not have in
//! common is behind [`Backend`] and [`Dialect`](dialect::Dialect).

mod accept;
mod access;
mod backend;
mod cancel;
mod concurrency;
mod connection;
mod controls;
mod dialect;
mod document;
mod end;
mod keys;
mod lost;
mod mirror;
mod open;
mod outbox;
mod pause;
mod pending;
mod place;
mod process;
mod prune;
mod purge;
mod query;
mod read;
mod renew;
mod request;
mod requeue;
mod row;
mod standing;
mod step;
mod sweep;
mod task_row;
mod teams;
mod transaction;
mod transition;
mod webhook;
mod webhooks;
mod withhold;
mod witness;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Error;
use tokio::sync::broadcast;
use types::{DocumentId, TaskId, TeamName, Timestamp, WorkerId};

use crate::audit::{Actor, AuditEntry};
use crate::change::Change;
use crate::clock::Clock;
use crate::document::{Document, NewDocument};
use crate::error::StoreError;
use crate::fault;
use crate::figures::{Conservation, Figures};
use crate::metrics::StoreMetrics;
use crate::outcome::{Ended, Ending};
use crate::step::{Event, NewStep, Step};
use crate::store::{Cancelling, Edit, Fence, LeaseSweep, Opened, Purging, Renewal, Requeueing, Store, Swept, Waiting};
use crate::task::{AcceptError, Accepted, NewTask, Task, TaskFilter, TaskPage};
pub(crate) use backend::{Backend, SessionId, Writing};
pub(crate) use connection::Sql;
pub(crate) use dialect::Dialect;
pub(crate) use query::{Given, Query, query};
pub(crate) use row::Row;
pub(crate) use transaction::Limits;
use writer::{Writer, WriterLoop};

/// Who lags behind by more changes reads the tables again.
const CHANGES_KEPT: usize = 4096;

/// A [`Store`] over a SQL database.
pub struct SqlStore<B> {
    writer: Writer,
    changes: broadcast::Sender<Change>,
    clock: Clock,
    backend: Arc<B>,
}

impl<B> SqlStore<B> {
    /// The channel that changes are told on.
    pub(crate) fn channel() -> broadcast::Sender<Change> {
        broadcast::channel(CHANGES_KEPT).0
    }
}

#[allow(private_bounds, reason = "which databases there are is a matter of this crate")]
impl<B: Backend> SqlStore<B> {
    /// A store that writes by `connection` until that is lost.
    pub(crate) fn new(
        backend: B,
        connection: Box<dyn Writing>,
        limits: Limits,
        clock: Clock,
        changes: broadcast::Sender<Change>,
        metrics: Option<StoreMetrics>,
    ) -> Self {
        let backend = Arc::new(backend);
        let writer = Writer::spawn(WriterLoop {
            backend: Arc::clone(&backend),
            connection: Some(connection),
            lost: None,
            limits,
            clock: clock.clone(),
            changes: changes.clone(),
            metrics,
        });
        SqlStore { writer, changes, clock, backend }
    }

    async fn reader(&self) -> Result<Box<dyn Sql>, Error> {
        self.backend.reader().await
    }

    /// `doing` completes "the database failed to …".
    async fn during<T>(
        &self,
        doing: &'static str,
        reading: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, StoreError> {
        reading.await.map_err(|error| self.backend.fault(doing, error))
    }
}

#[allow(private_bounds, reason = "as above")]
#[async_trait]
impl<B: Backend> Store for SqlStore<B> {
    async fn accept(
        &self,
        tasks: Vec<NewTask>,
        actor: &Actor,
    ) -> Result<Vec<Result<Accepted, AcceptError>>, StoreError> {
        fault::point("accepting");
        let accepted = self.writer.write(accept::Accept::new(tasks, actor.clone())).await;
        fault::point("accepted");
        accepted
    }

    async fn cancel(&self, task: TaskId, actor: &Actor) -> Result<Cancelling, StoreError> {
        self.writer.write(cancel::Cancel { task, actor: actor.clone() }).await
    }

    async fn requeue(&self, task: TaskId, edit: &Edit, actor: &Actor) -> Result<Requeueing, StoreError> {
        self.writer.write(requeue::Requeue { task, edit: edit.clone(), actor: actor.clone() }).await
    }

    async fn purge(&self, task: TaskId, actor: &Actor) -> Result<Purging, StoreError> {
        self.writer.write(purge::Purge { task, actor: actor.clone() }).await
    }

    async fn open(&self, task: TaskId, worker: &WorkerId, lease_timeout: Duration) -> Result<Opened, StoreError> {
        self.writer.write(open::Open { task, worker: worker.clone(), lease_timeout }).await
    }

    async fn renew(&self, held: &[Fence], lease_timeout: Duration) -> Result<Vec<Renewal>, StoreError> {
        self.writer.write(renew::Renew { held: held.to_vec(), lease_timeout }).await
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
        self.during("read a document", async { document::find(&mut *self.reader().await?, team, id).await }).await
    }

    async fn document_bytes(&self, team: &TeamName, id: &DocumentId) -> Result<Option<Vec<u8>>, StoreError> {
        self.during("read a document", async { document::bytes(&mut *self.reader().await?, team, id).await }).await
    }

    async fn task(&self, task: TaskId) -> Result<Option<Task>, StoreError> {
        self.during("read a task", async { read::task(&mut *self.reader().await?, task).await }).await
    }

    async fn tasks(&self, filter: &TaskFilter, before: Option<TaskId>, limit: u32) -> Result<TaskPage, StoreError> {
        self.during("list tasks", async { read::tasks(&mut *self.reader().await?, filter, before, limit).await }).await
    }

    async fn events(&self, task: TaskId, after_seq: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let reading = async { read::events(&mut *self.reader().await?, task, after_seq, limit).await };
        self.during("read events", reading).await
    }

    async fn steps(&self, task: TaskId) -> Result<Vec<Step>, StoreError> {
        self.during("read steps", async { read::steps(&mut *self.reader().await?, task).await }).await
    }

    async fn audit(&self, after_seq: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let reading = async { read::audit(&mut *self.reader().await?, after_seq, limit).await };
        self.during("read the audit log", reading).await
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        let reading = async { read::figures(&mut *self.reader().await?, self.clock.now()).await };
        self.during("read the figures", reading).await
    }

    async fn conservation(&self) -> Result<Conservation, StoreError> {
        self.during("count tasks", async { read::conservation(&mut *self.reader().await?).await }).await
    }

    async fn sweep(&self, limit: u32, leases: LeaseSweep) -> Result<Swept, StoreError> {
        let now = self.clock.now();
        let looking = async { sweep::is_anything_due(&mut *self.reader().await?, now, leases).await };
        if self.during("look for due tasks", looking).await? {
            self.writer.write(sweep::Sweep { limit, leases }).await
        } else {
            Ok(Swept::default())
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn take_outbox(&self, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        let looking = async { outbox::is_empty(&mut *self.reader().await?).await };
        if self.during("read the outbox", looking).await? {
            return Ok(Vec::new());
        }
        self.writer.write(outbox::Take { limit }).await
    }

    async fn queued(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        let reading = async { outbox::queued(&mut *self.reader().await?, after, limit).await };
        self.during("read waiting tasks", reading).await
    }

    async fn still_queued(&self, tasks: &[TaskId]) -> Result<Vec<Waiting>, StoreError> {
        let reading = async { outbox::still_queued(&mut *self.reader().await?, tasks).await };
        self.during("read waiting tasks", reading).await
    }

    async fn close(&self) {
        self.backend.close().await;
        self.writer.close().await;
    }
}

fn lost(fence: Fence) -> StoreError {
    StoreError::LeaseLost { task: fence.task, attempt: fence.attempt }
}
