//! Feeds the queue from the store, in fair order, and does what time has made due.
//!
//! One leader in the installation does it. It holds the queued tasks that the queue does not have yet (`backlog`), keeps
//! the queue short (`window`), and follows what it fed until a worker has opened it (`fed`). The store is the truth and the
//! queue may lose anything, so everything here may be repeated, and is compared all the time: what was fed with the
//! queue, and the rest with the store's rows, a part at each look. Hints of commits only make it fast.

mod backlog;
mod fair;
mod fed;
mod keys;
mod leader;
mod look;
mod metrics;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod simulation;
mod trouble;
mod window;

use std::sync::Arc;
use std::time::Duration;

use task_queue::{Queue, QueueError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::{TaskId, TaskState};

use crate::change::Change;
use crate::error::StoreError;
use crate::step::EventKind;
use crate::store::{Store, Swept};
use backlog::Backlog;
use fed::Fed;
use leader::Standing;
pub use metrics::RelayMetrics;
use trouble::Trouble;
use window::Window;

/// Hints that are followed in one go.
const HINTS: usize = 4096;

/// How the relay behaves.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Time between two looks at everything: the clock's work, what the queue lost, what no hint told.
    pub tick: Duration,
    /// How long leases last. No lease is recorded as expired before a leader has led for this long.
    pub lease_timeout: Duration,
    /// Where to count; `None` counts nothing.
    pub metrics: Option<RelayMetrics>,
}

impl Default for RelaySettings {
    fn default() -> Self {
        RelaySettings { tick: Duration::from_millis(500), lease_timeout: Duration::from_secs(60), metrics: None }
    }
}

/// Feeds the queue from the store while this process leads.
pub struct Relay {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    settings: RelaySettings,
    standing: Standing,
    leading: watch::Sender<bool>,
    backlog: Backlog,
    fed: Fed,
    window: Window,
    /// Up to where this round of comparing with the store has come.
    compared: Option<TaskId>,
    looked_at: Instant,
    counted_at: Option<Instant>,
    count: JoinSet<()>,
    trouble: Trouble,
}

/// What one look did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relayed {
    /// What time did.
    pub swept: Swept,
    /// Ids fed to the queue.
    pub delivered: u64,
    /// Those of them that the queue had lost.
    pub refilled: u64,
}

/// Why a look ended early. The next does what was not done.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Relay {
    /// A relay that does not lead yet.
    pub fn new(store: Arc<dyn Store>, queue: Arc<dyn Queue>, settings: RelaySettings) -> Self {
        Relay {
            store,
            queue,
            settings,
            standing: Standing::default(),
            leading: watch::Sender::new(false),
            backlog: Backlog::default(),
            fed: Fed::default(),
            window: Window::default(),
            compared: None,
            looked_at: Instant::now(),
            counted_at: None,
            count: JoinSet::new(),
            trouble: Trouble::default(),
        }
    }

    /// Whether this process leads, now and later: for whatever else only one process should do.
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leading.subscribe()
    }

    /// Looks at every tick and feeds at every commit, until shutdown or until the store or the queue is closed.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut changes = self.store.changes();
        let mut ticks = interval(self.settings.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        loop {
            let result = tokio::select! {
                () = &mut shutdown => break,
                _ = ticks.tick() => {
                    if self.trouble.rests(Instant::now()) {
                        continue;
                    }
                    self.run_once().await.map(|relayed| {
                        self.trouble.ends();
                        if look::is_full(&relayed.swept) {
                            ticks.reset_immediately();
                        }
                    })
                }
                hints = hear(&mut changes) => match hints {
                    Some(hints) => self.follow(hints).await,
                    None => break,
                },
            };
            match result {
                Ok(()) => {}
                Err(RelayError::Queue(QueueError::Closed(_)) | RelayError::Store(StoreError::Closed)) => break,
                Err(error) => self.trouble.begins(&error, self.settings.tick, Instant::now()),
            }
        }
        self.resign();
    }

    /// Takes what hints say for true, and feeds what they make room for. What they do not say, the next look finds out.
    async fn follow(&mut self, hints: Hints) -> Result<(), RelayError> {
        if self.standing == Standing::Follower {
            return Ok(());
        }
        for change in &hints.changes {
            self.note(*change);
        }
        if self.trouble.rests(Instant::now()) {
            return Ok(());
        }
        if hints.queued {
            self.take_outbox().await?;
        }
        self.feed().await?;
        Ok(())
    }

    fn note(&mut self, change: Change) {
        match change.state {
            // The outbox has it.
            TaskState::Queued => {}
            TaskState::Running if change.kind == EventKind::Started => {
                self.left(change.task);
                self.backlog.opened(change.task);
            }
            TaskState::Running => {}
            TaskState::Scheduled
            | TaskState::AwaitingApproval
            | TaskState::Succeeded
            | TaskState::Failed
            | TaskState::Cancelled
            | TaskState::Dead => {
                self.left(change.task);
                self.backlog.ended(change.task);
            }
        }
    }

    /// The queue need not hold the id any more.
    fn left(&mut self, task: TaskId) {
        if let Some(class) = self.fed.forget(task) {
            self.window.left(class);
        }
    }
}

struct Hints {
    changes: Vec<Change>,
    /// Whether the outbox may have gained something.
    queued: bool,
}

/// Waits for a change and takes the others that are there with it: one look at the outbox serves them all. `None` when
/// there will be no more.
async fn hear(changes: &mut Receiver<Change>) -> Option<Hints> {
    let mut hints = Hints { changes: Vec::new(), queued: false };
    let mut next = match changes.recv().await {
        Ok(change) => Ok(change),
        Err(RecvError::Lagged(missed)) => Err(TryRecvError::Lagged(missed)),
        Err(RecvError::Closed) => return None,
    };
    while hints.changes.len() < HINTS {
        match next {
            Ok(change) => {
                hints.queued |= change.state == TaskState::Queued;
                hints.changes.push(change);
            }
            Err(TryRecvError::Lagged(_)) => hints.queued = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
        next = changes.try_recv();
    }
    Some(hints)
}
