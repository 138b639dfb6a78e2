//! The contract every store keeps, whatever database is under it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use types::{AgentName, AttemptNumber, DocumentId, TaskClass, TaskId, TaskState, TeamName, Timestamp, WorkerId};

use crate::access::Access;
use crate::audit::{Actor, AuditEntry};
use crate::change::Change;
use crate::controls::Controls;
use crate::document::{Document, NewDocument};
use crate::error::StoreError;
use crate::figures::{Conservation, Figures};
use crate::outcome::{Ended, Ending};
use crate::step::{Event, NewStep, Step};
use crate::task::{AcceptError, Accepted, Concurrency, NewTask, Task, TaskFilter, TaskPage};
use crate::webhook::Webhooks;

/// The truth about tasks. A verb that answers `Ok` is committed and on disk; one that fails changed nothing.
///
/// Dropping the future of a write does not undo it: it may still be carried out.
#[async_trait]
pub trait Store: Access + Controls + Webhooks {
    /// Accepts tasks in one transaction and answers each, in order. `actor` is who asked.
    async fn accept(
        &self,
        tasks: Vec<NewTask>,
        actor: &Actor,
    ) -> Result<Vec<Result<Accepted, AcceptError>>, StoreError>;

    /// Ends a waiting task at once; marks a running one for its worker to stop.
    async fn cancel(&self, task: TaskId, actor: &Actor) -> Result<Cancelling, StoreError>;

    /// Puts a dead letter back into its line, edited, with its counters reset. A deadline that has passed is dropped.
    async fn requeue(&self, task: TaskId, edit: &Edit, actor: &Actor) -> Result<Requeueing, StoreError>;

    /// Forgets a dead letter with all that belongs to it.
    async fn purge(&self, task: TaskId, actor: &Actor) -> Result<Purging, StoreError>;

    /// Opens the next attempt if the task is queued and nothing withholds it. Workers use
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
    async fn sweep(&self, limit: u32, leases: LeaseSweep) -> Result<Swept, StoreError>;

    /// The moment by the clock that leases expire by.
    fn now(&self) -> Timestamp;

    /// Takes newly queued tasks off the outbox, in order; at most `limit`. Hints, given at most once: whoever becomes
    /// leader reads [`queued`](Self::queued) first.
    async fn take_outbox(&self, limit: u32) -> Result<Vec<Waiting>, StoreError>;

    /// Every queued task after `after`, in order of id; at most `limit`.
    async fn queued(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<Waiting>, StoreError>;

    /// Those of `tasks` that are queued, in order of id.
    async fn still_queued(&self, tasks: &[TaskId]) -> Result<Vec<Waiting>, StoreError>;

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
    /// Not to be worked on now: it stays queued.
    Withheld(Withheld),
    /// There is no such task.
    Unknown,
}

/// Why a queued task is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// A pause covers it.
    Paused,
    /// As many tasks with its concurrency key run as may.
    KeyBusy,
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

/// What an operator changes in a dead letter; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// What is asked instead.
    pub input: Option<String>,
    /// Who is to work on it instead.
    pub agent: Option<AgentName>,
    /// The line it waits in instead.
    pub class: Option<TaskClass>,
    /// In place of the agent's own limit.
    pub max_retries: Option<u32>,
}

/// The answer to a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purging {
    /// It is gone.
    Purged,
    /// Not a dead letter, but in this state.
    NotDead(TaskState),
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

/// Whether a sweep records leases that have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseSweep {
    /// It does.
    Expire,
    /// Not yet: their holders may have been kept from renewing by what kept us from the store.
    Spare,
}

/// A queued task: what the order of the lines is decided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The task.
    pub task: TaskId,
    /// The line it waits in.
    pub class: TaskClass,
    /// Who owns it.
    pub team: TeamName,
    /// Who is to work on it.
    pub agent: AgentName,
    /// Estimated tokens.
    pub cost: u32,
    /// Since when it has been ready for a worker.
    pub queued_at: Timestamp,
    /// How many tasks with its key may run at a time.
    pub concurrency: Option<Concurrency>,
}
