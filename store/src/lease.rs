//! The exclusive right to work on a task, as this process holds it.
//!
//! A lease is consumed by exactly one outcome. One dropped without an outcome is not renewed any more and expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::warn;
use types::{AttemptNumber, TaskId, TaskState, Timestamp, WorkerId};

use crate::error::StoreError;
use crate::outcome::{Ended, Ending, Failure};
use crate::retry::RetryPolicy;
use crate::step::{EventKind, NewStep};
use crate::store::{Fence, Opened, Renewal, Store};
use crate::task::Task;

/// Between two tries to write an outcome that a passing fault keeps from being written.
const OUTCOME_PAUSE: Duration = Duration::from_millis(200);

/// All leases of this process: opens them, renews them in one call, and tells their holders to stop.
#[derive(Clone)]
pub struct Leases {
    store: Arc<dyn Store>,
    lease_timeout: Duration,
    held: Arc<Held>,
}

/// Why a holder must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Someone cancelled the task: end with [`Lease::cancelled`].
    CancelRequested,
    /// The lease is lost: nothing that is written now counts.
    Lost,
}

/// The answer to an attempt to open a task.
#[derive(Debug)]
pub enum Opening {
    /// Work on it.
    Opened(Lease),
    /// Not to be worked on: it runs elsewhere, is not due yet, or has ended.
    Gone(TaskState),
    /// There is no such task.
    Unknown,
}

/// The exclusive right to work on a task; consumed by exactly one outcome.
#[must_use = "a lease dropped without an outcome expires, and the task runs again"]
pub struct Lease {
    leases: Leases,
    task: Box<Task>,
    worker: WorkerId,
    interrupt: watch::Receiver<Option<Interrupt>>,
}

#[derive(Default)]
struct Held(Mutex<HashMap<Fence, Holder>>);

struct Holder {
    interrupt: watch::Sender<Option<Interrupt>>,
    /// When this process may no longer believe that it holds the lease, by its own clock.
    believed_until: Instant,
}

impl Leases {
    /// No leases yet. Someone must [`run`](Self::run) or [`renew`](Self::renew) them well within `lease_timeout`.
    pub fn new(store: Arc<dyn Store>, lease_timeout: Duration) -> Self {
        Leases { store, lease_timeout, held: Arc::default() }
    }

    /// Opens the task's next attempt for a worker of this process.
    pub async fn open(&self, task: TaskId, worker: &WorkerId) -> Result<Opening, StoreError> {
        let asked = Instant::now();
        let task = match self.store.open(task, worker, self.lease_timeout).await? {
            Opened::Held(task) => task,
            Opened::Gone(state) => return Ok(Opening::Gone(state)),
            Opened::Unknown => return Ok(Opening::Unknown),
        };
        let (sender, interrupt) = watch::channel(None);
        let holder = Holder { interrupt: sender, believed_until: asked + self.lease_timeout };
        self.held.lock().insert(Fence { task: task.id, attempt: task.attempt }, holder);
        Ok(Opening::Opened(Lease { leases: self.clone(), task, worker: worker.clone(), interrupt }))
    }

    /// How many leases are held.
    pub fn count(&self) -> usize {
        self.held.lock().len()
    }

    /// Renews all leases in one call and tells the holders of those that are lost or to be cancelled.
    pub async fn renew(&self) -> Result<(), StoreError> {
        let asked = Instant::now();
        let fences: Vec<Fence> = self.held.lock().keys().copied().collect();
        if fences.is_empty() {
            return Ok(());
        }
        let renewals = match self.store.renew(&fences, self.lease_timeout).await {
            Ok(renewals) => renewals,
            Err(error) => {
                self.held.give_up_the_overdue(Instant::now());
                return Err(error);
            }
        };
        let mut held = self.held.lock();
        for (fence, renewal) in fences.iter().zip(renewals) {
            // Gone meanwhile: it had its outcome while the renewal was on its way.
            let Some(holder) = held.get_mut(fence) else { continue };
            match renewal {
                Renewal::Held(_) => holder.believed_until = asked + self.lease_timeout,
                Renewal::CancelRequested(_) => {
                    holder.believed_until = asked + self.lease_timeout;
                    holder.tell(Interrupt::CancelRequested);
                }
                Renewal::Lost => holder.tell(Interrupt::Lost),
            }
        }
        Ok(())
    }

    /// Renews every third of the lease timeout, and passes on cancellations as they are committed in this process.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut changes = self.store.changes();
        let mut ticks = interval(self.lease_timeout / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {
                    if let Err(error) = self.renew().await {
                        warn!(%error, "leases were not renewed; trying again");
                    }
                }
                change = changes.recv() => match change {
                    Ok(change) if change.kind == EventKind::CancelRequested => self.held.cancel(change.task),
                    // The next renewal brings what was missed.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }
}

impl Lease {
    /// The task as it stood when it was opened.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// This execution's number.
    pub fn attempt(&self) -> AttemptNumber {
        self.task.attempt
    }

    /// Who holds it.
    pub fn worker(&self) -> &WorkerId {
        &self.worker
    }

    /// Waits until the holder must stop, and says why. Select on it beside the work.
    pub async fn interrupted(&self) -> Interrupt {
        let mut interrupt = self.interrupt.clone();
        let told = interrupt.wait_for(Option::is_some).await.ok().and_then(|told| *told);
        // The sender lives as long as this lease is listed.
        told.unwrap_or(Interrupt::Lost)
    }

    /// Why the holder must stop, if it must.
    pub fn interrupt(&self) -> Option<Interrupt> {
        *self.interrupt.borrow()
    }

    /// Records a step and gives it its number.
    pub async fn record_step(&self, step: NewStep) -> Result<u32, StoreError> {
        self.leases.store.record_step(self.fence(), step).await
    }

    /// The answer: the task has succeeded.
    pub async fn complete(self, output: Value) -> Result<Ended, StoreError> {
        self.end(Ending::Complete { output }).await
    }

    /// A definite negative end: a limit, a guardrail, the deadline, unusable input.
    pub async fn fail(self, failure: Failure) -> Result<Ended, StoreError> {
        self.end(Ending::Fail(failure)).await
    }

    /// It may go better another time, by the policy and not before `not_before`; dead when its retries are spent.
    pub async fn retry(
        self,
        failure: Failure,
        policy: &RetryPolicy,
        not_before: Option<Timestamp>,
    ) -> Result<Ended, StoreError> {
        self.end(Ending::Retry { failure, policy: *policy, not_before, unit: rand::random() }).await
    }

    /// It cannot be finished: dead, for an operator to look at.
    pub async fn bury(self, failure: Failure) -> Result<Ended, StoreError> {
        self.end(Ending::Bury(failure)).await
    }

    /// Nothing happened (a shutdown): back to its line, no failure counted.
    pub async fn release(self) -> Result<Ended, StoreError> {
        self.end(Ending::Release).await
    }

    /// The worker stopped because someone cancelled the task.
    pub async fn cancelled(self) -> Result<Ended, StoreError> {
        self.end(Ending::Cancelled).await
    }

    fn fence(&self) -> Fence {
        Fence { task: self.task.id, attempt: self.task.attempt }
    }

    /// An outcome may have cost minutes of a model's work, so a passing fault is waited out while the lease lives.
    async fn end(self, ending: Ending) -> Result<Ended, StoreError> {
        let give_up = Instant::now() + self.leases.lease_timeout;
        loop {
            match self.leases.store.end(self.fence(), ending.clone()).await {
                Err(error) if error.is_passing() && Instant::now() < give_up => {
                    warn!(task = %self.task.id, %error, "the outcome is not written yet; trying again");
                    sleep(OUTCOME_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.held.lock().remove(&self.fence());
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({}, attempt {}, {})", self.task.id, self.task.attempt, self.worker)
    }
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fence, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self, task: TaskId) {
        for (_, holder) in self.lock().iter().filter(|(fence, _)| fence.task == task) {
            holder.tell(Interrupt::CancelRequested);
        }
    }

    /// A store that cannot be reached may have given these to others by now.
    fn give_up_the_overdue(&self, now: Instant) {
        for holder in self.lock().values().filter(|holder| holder.believed_until <= now) {
            holder.tell(Interrupt::Lost);
        }
    }
}

impl Holder {
    fn tell(&self, interrupt: Interrupt) {
        self.interrupt.send_if_modified(|told| {
            let is_news = *told != Some(Interrupt::Lost) && *told != Some(interrupt);
            if is_news {
                *told = Some(interrupt);
            }
            is_news
        });
    }
}
