//! The contract every store keeps, whatever database is under it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use types::{AttemptNumber, DocumentId, TaskClass, TaskId, TaskState, TeamName, Timestamp, WorkerId};

use crate::audit::{Actor, AuditEntry};
use crate::change::Change;
use crate::document::{Document, NewDocument};
use crate::error::StoreError;
use crate::figures::{Conservation, Figures};
use crate::outcome::{Ended, Ending};
use crate::step::{Event, NewStep, Step};
use crate::task::{AcceptError, Accepted, NewTask, Task, TaskFilter, TaskPage};

/// The truth about tasks. A verb that answers `Ok` is committed and on disk; one that fails changed nothing.
///
/// Dropping the future of a write does not undo it: it may still be carried out.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Accepts tasks in one transaction and answers each, in order. `actor` is who asked.
    async fn accept(
        &self,
        tasks: Vec<NewTask>,
        actor: &Actor,
    ) -> Result<Vec<Result<Accepted, AcceptError>>, StoreError>;

    /// Ends a waiting task at once; marks a running one for its worker to stop.
    async fn cancel(&self, task: TaskId, actor: &Actor) -> Result<Cancelling, StoreError>;

    /// Puts a dead letter back into its line with its counters reset. A deadline that has passed is dropped.
    async fn requeue(&self, task: TaskId, actor: &Actor) -> Result<Requeueing, StoreError>;

    /// Opens the next attempt if the task is free: queued, due, or its last lease expired. Workers use
    /// [`Leases::open`](crate::Leases::open).
    async fn open(&self, task: TaskId, worker: &WorkerId, lease_timeout: Duration) -> Result<Opened, StoreError>;

    /// Extends leases, and says which are lost or were asked to stop; in the order of `held`.
    async fn renew(&self, held: &[Fence], lease_timeout: Duration) -> Result<Vec<Renewal>, StoreError>;

    /// Records a step of a held task and gives it its number.
    async fn record_step(&self, fence: Fence, step: NewStep) -> Result<u32, StoreError>;

    /// Ends an attempt.
    async fn end(&self, fence: Fence, ending: Ending) -> Result<Ended, StoreError>;

    /// Stores a document, or finds the same one.
    async fn put_document(&self, document: NewDocument, actor: &Actor) -> Result<Document, StoreError>;

    /// A team's document.
    async fn document(&self, team: &TeamName, id: &DocumentId) -> Result<Option<Document>, StoreError>;

    /// A team's document's bytes.
    async fn document_bytes(&self, team: &TeamName, id: &DocumentId) -> Result<Option<Vec<u8>>, StoreError>;

    /// A task as it stands.
    async fn task(&self, task: TaskId) -> Result<Option<Task>, StoreError>;

    /// Tasks that match, newest first, before a cursor; at most `limit`.
    async fn tasks(&self, filter: &TaskFilter, before: Option<TaskId>, limit: u32) -> Result<TaskPage, StoreError>;

    /// A task's events after `after_seq` (0 for all), in order; at most `limit`.
    async fn events(&self, task: TaskId, after_seq: i64, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// A task's steps, in order.
    async fn steps(&self, task: TaskId) -> Result<Vec<Step>, StoreError>;

    /// The audit log after `after_seq` (0 for all), in order; at most `limit`.
    async fn audit(&self, after_seq: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;

    /// Word of every change that this process commits, from now on. Who lags reads the tables again.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// How many tasks stand where. Cheap: asked for by every scrape.
    async fn figures(&self) -> Result<Figures, StoreError>;

    /// Counts every row. Dear: asked for by tests, at start and now and then.
    async fn conservation(&self) -> Result<Conservation, StoreError>;

    /// Does what time has made due, to at most `limit` tasks of each kind: see [`Swept`].
    async fn sweep(&self, limit: u32) -> Result<Swept, StoreError>;

    /// Ids to deliver after `after_seq`, in order; at most `limit`.
    async fn outbox(&self, after_seq: i64, limit: u32) -> Result<Vec<Outbound>, StoreError>;

    /// Forgets what was delivered, up to and with `seq`.
    async fn clear_outbox(&self, seq: i64) -> Result<(), StoreError>;

    /// Every queued task after `after`, in order of id; at most `limit`. For a queue that has to be filled again.
    async fn queued(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<(TaskId, TaskClass)>, StoreError>;

    /// Finishes what was begun, writes everything to the main file and lets go of it.
    async fn close(&self);
}

/// What every write of a lease carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The task.
    pub task: TaskId,
    /// The attempt that writes.
    pub attempt: AttemptNumber,
}

/// The answer to an attempt to open a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// The task as it stands, held.
    Held(Box<Task>),
    /// Not to be worked on: it runs elsewhere, is not due yet, or has ended.
    Gone(TaskState),
    /// There is no such task.
    Unknown,
}

/// What became of a lease at renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Held until this moment.
    Held(Timestamp),
    /// Held until this moment, and someone asked to stop.
    CancelRequested(Timestamp),
    /// No longer held.
    Lost,
}

/// The answer to a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelling {
    /// It is cancelled.
    Cancelled,
    /// Its worker was told to stop.
    Requested,
    /// It had ended before, in this state.
    Ended(TaskState),
    /// There is no such task.
    Unknown,
}

/// The answer to a requeue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeueing {
    /// It waits again.
    Queued,
    /// Not a dead letter, but in this state.
    NotDead(TaskState),
    /// There is no such task.
    Unknown,
}

/// What time did in one sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Scheduled tasks whose time came: queued.
    pub due: u32,
    /// Leases that expired: queued, dead as poison, or cancelled if that was asked.
    pub expired: u32,
    /// Waiting tasks whose deadline passed: failed.
    pub timed_out: u32,
}

/// An id that the queue has to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Its number; they only grow.
    pub seq: i64,
    /// The task.
    pub task: TaskId,
    /// The line it waits in.
    pub class: TaskClass,
}
