//! Moves ids from the store to the queue, and does what time has made due.
//!
//! The store is the truth and the queue may lose anything, so the relay's work can be repeated at will: it delivers the
//! outbox as soon as it hears of a commit, and compares the two on every slow tick.

use std::sync::Arc;
use std::time::Duration;

use task_queue::{Queue, QueueError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};
use types::{TaskClass, TaskId, TaskState};

use crate::change::Change;
use crate::error::StoreError;
use crate::store::{LeaseSweep, Store, Swept, Waiting};

/// Ids moved in one go.
const BATCH: u32 = 1000;

/// How the relay behaves.
#[derive(Clone, Copy, Debug)]
pub struct RelaySettings {
    /// Time between two looks at the clock's work: delays that end, leases that expire, ids that got lost.
    pub tick: Duration,
}

impl Default for RelaySettings {
    fn default() -> Self {
        RelaySettings { tick: Duration::from_millis(500) }
    }
}

/// Moves ids from the store to the queue.
pub struct Relay {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    settings: RelaySettings,
    shortage: Shortage,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relayed {
    /// What time did.
    pub swept: Swept,
    /// Ids delivered from the outbox.
    pub delivered: u64,
    /// Ids given again because the queue held fewer than wait.
    pub refilled: u64,
}

/// Why a run ended early. What was not delivered is delivered by the next.
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
    /// A relay that has delivered nothing yet.
    pub fn new(store: Arc<dyn Store>, queue: Arc<dyn Queue>, settings: RelaySettings) -> Self {
        Relay { store, queue, settings, shortage: Shortage::default() }
    }

    /// Runs at every tick and delivers at every commit, until shutdown or until the queue is closed.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut changes = self.store.changes();
        let mut ticks = interval(self.settings.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        loop {
            let result = tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => self.run_once().await.map(|relayed| relayed.delivered),
                heard = hear(&mut changes) => match heard {
                    Heard::Queued => self.deliver().await,
                    Heard::Nothing => continue,
                    Heard::Closed => return,
                },
            };
            match result {
                Ok(0) => {}
                Ok(delivered) => debug!(delivered, "ids delivered"),
                Err(RelayError::Queue(QueueError::Closed(_)) | RelayError::Store(StoreError::Closed)) => return,
                Err(error) => warn!(%error, "ids wait in the store; trying again"),
            }
        }
    }

    /// Sweeps, delivers, and fills the queue again if it has lost ids.
    pub async fn run_once(&mut self) -> Result<Relayed, RelayError> {
        let swept = self.store.sweep(BATCH, LeaseSweep::Expire).await?;
        let delivered = self.deliver().await?;
        let refilled = self.refill().await?;
        Ok(Relayed { swept, delivered, refilled })
    }

    /// Delivers what the outbox has gained.
    async fn deliver(&mut self) -> Result<u64, RelayError> {
        let mut delivered = 0;
        loop {
            let waiting = self.store.take_outbox(BATCH).await?;
            self.queue.push(&ids(&waiting)).await?;
            delivered += waiting.len() as u64;
            if waiting.is_empty() {
                return Ok(delivered);
            }
        }
    }

    /// Gives every queued id again when fewer are in the queue than wait in the store, on two runs in a row.
    async fn refill(&mut self) -> Result<u64, RelayError> {
        // In this order: what is accepted in between is then not taken for lost.
        let queued = self.store.figures().await?.in_state(TaskState::Queued);
        let depth = self.queue.depth().await?;
        if !self.shortage.lasts(queued, (depth.waiting() + depth.delivered) as u64) {
            return Ok(0);
        }
        let mut refilled = 0;
        let mut after = None;
        loop {
            let queued = self.store.queued(after, BATCH).await?;
            self.queue.push(&ids(&queued)).await?;
            refilled += queued.len() as u64;
            after = queued.last().map(|task| task.task);
            if queued.len() < BATCH as usize {
                return Ok(refilled);
            }
        }
    }
}

fn ids(waiting: &[Waiting]) -> Vec<(TaskId, TaskClass)> {
    waiting.iter().map(|task| (task.task, task.class)).collect()
}

/// Whether the queue has lost ids. A task that is opened between the two counts looks lost as well, but seldom twice
/// in a row; ids that are lost stay lost.
#[derive(Debug, Default)]
struct Shortage {
    was_short: bool,
}

impl Shortage {
    /// Whether fewer ids are held than wait, now and the last time; begins anew once it was so.
    fn lasts(&mut self, waiting: u64, held: u64) -> bool {
        let is_short = held < waiting;
        let lasts = is_short && self.was_short;
        self.was_short = is_short && !lasts;
        lasts
    }
}

enum Heard {
    Queued,
    Nothing,
    Closed,
}

/// Waits for a change and takes the others that are there with it: one look at the outbox serves them all.
async fn hear(changes: &mut Receiver<Change>) -> Heard {
    let mut queued = match changes.recv().await {
        Ok(change) => change.state == TaskState::Queued,
        Err(RecvError::Lagged(_)) => true,
        Err(RecvError::Closed) => return Heard::Closed,
    };
    loop {
        match changes.try_recv() {
            Ok(change) => queued |= change.state == TaskState::Queued,
            Err(TryRecvError::Lagged(_)) => queued = true,
            Err(TryRecvError::Empty) => return if queued { Heard::Queued } else { Heard::Nothing },
            Err(TryRecvError::Closed) => return Heard::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counts: &[(u64, u64)], expected: &[bool]) {
        let mut shortage = Shortage::default();
        let lasts: Vec<bool> = counts.iter().map(|&(waiting, held)| shortage.lasts(waiting, held)).collect();
        assert_eq!(lasts, expected);
    }

    #[test]
    fn only_a_shortage_that_lasts_fills_the_queue_again() {
        check(&[(5, 5), (5, 6)], &[false, false]);
        // A task was opened between the two counts.
        check(&[(5, 4), (4, 4), (4, 3)], &[false, false, false]);
        check(&[(5, 4), (5, 4)], &[false, true]);
        // What was given again is counted anew.
        check(&[(5, 4), (5, 4), (5, 4), (5, 4)], &[false, true, false, true]);
    }
}
