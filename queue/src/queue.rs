//! The contract every queue keeps, whatever it is made of.

use async_trait::async_trait;
use types::{TaskClass, TaskId, WorkerId};

/// Orders waiting ids by class and wakes workers.
///
/// - An id waits at most once: pushing one that waits, or that is delivered and not yet acknowledged, changes nothing.
/// - A delivered id that nobody acknowledges within the visibility timeout is handed out again.
/// - Under a constant load of the more urgent classes the others still get their share.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Adds ids to their classes' lines, in this order, and wakes waiting workers.
    async fn push(&self, ids: &[(TaskId, TaskClass)]) -> Result<(), QueueError>;

    /// Waits for an id. Dropping the future loses nothing: an id is either not taken yet or comes back unacknowledged.
    async fn take(&self, worker: &WorkerId, classes: Classes) -> Result<Delivery, QueueError>;

    /// The task was opened, or cannot be: the queue forgets it. Acknowledging late or twice is harmless.
    async fn acknowledge(&self, delivery: Delivery) -> Result<(), QueueError>;

    /// Which of these ids wait here, or are delivered and not yet acknowledged; in the order given. Exact.
    async fn holds(&self, ids: &[TaskId]) -> Result<Vec<bool>, QueueError>;

    /// How many ids the queue holds.
    async fn depth(&self) -> Result<Depth, QueueError>;

    /// Ends every `take` and `push`, now and later, with [`Closed`]. What waits is the store's to bring back.
    async fn close(&self);
}

/// What a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Any class, in the order that keeps shares and starves none.
    All,
    /// Interactive only: this slot is kept free for a person who waits. Outside of the order.
    Interactive,
}

/// An id on its way to a worker. The worker opens the task in the store, then acknowledges.
#[derive(Debug)]
#[must_use = "an unacknowledged delivery is handed out again"]
pub struct Delivery {
    task: TaskId,
    class: TaskClass,
    /// Tells this delivery from an earlier one of the same id.
    pub(crate) receipt: Receipt,
}

/// A number that never comes again in a queue.
pub(crate) type Receipt = u128;

impl Delivery {
    pub(crate) fn new(task: TaskId, class: TaskClass, receipt: Receipt) -> Self {
        Delivery { task, class, receipt }
    }

    /// The task to open.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The line it waited in.
    pub fn class(&self) -> TaskClass {
        self.class
    }
}

/// How many ids a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting to be taken, by class in the order of [`TaskClass::ALL`].
    pub waiting: [usize; 3],
    /// Taken and not yet acknowledged.
    pub delivered: usize,
}

impl Depth {
    /// Waiting in one class.
    pub fn of(&self, class: TaskClass) -> usize {
        self.waiting[class as usize]
    }

    /// Waiting in all classes.
    pub fn waiting(&self) -> usize {
        self.waiting.iter().sum()
    }
}

/// The queue was closed: this process takes no more work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is closed: the process is shutting down")]
pub struct Closed;

/// Why a queue could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Stop taking.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// Try again later: the queue's server cannot be reached or refuses. Nothing accepted is lost meanwhile.
    #[error("the queue at {at} cannot be used now; tasks wait in the store until it can")]
    Unavailable {
        /// Its address.
        at: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
