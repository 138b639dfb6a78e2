//! All leases of a process: opened here, renewed in one call, and told to stop.
//!
//! A lease that was dropped without an outcome is not listed any more, so nobody renews it and it expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;
use types::{TaskId, TaskState, WorkerId};

use crate::error::StoreError;
use crate::fault;
use crate::lease::{Interrupt, Lease};
use crate::step::EventKind;
use crate::store::{Fence, Opened, Renewal, Store, Withheld};

/// All leases of this process: opens them, renews them in one call, and tells their holders to stop.
#[derive(Clone)]
pub struct Leases {
    store: Arc<dyn Store>,
    lease_timeout: Duration,
    held: Arc<Held>,
}

/// The answer to an attempt to open a task.
#[derive(Debug)]
pub enum Opening {
    /// Work on it.
    Opened(Lease),
    /// Not to be worked on: it runs elsewhere, is not due yet, or has ended.
    Gone(TaskState),
    /// Not to be worked on now: it stays queued, and is fed to the queue again.
    Withheld(Withheld),
    /// There is no such task.
    Unknown,
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
        fault::point("opening");
        let opened = self.store.open(task, worker, self.lease_timeout).await?;
        fault::point("opened");
        let task = match opened {
            Opened::Held(task) => task,
            Opened::Gone(state) => return Ok(Opening::Gone(state)),
            Opened::Withheld(why) => return Ok(Opening::Withheld(why)),
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
        fault::point("renewing");
        let renewals = self.store.renew(&fences, self.lease_timeout).await;
        fault::point("renewed");
        let renewals = match renewals {
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
                        ticks.reset_after(self.lease_timeout / 10);
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

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.lease_timeout
    }

    /// The lease had its outcome, or was dropped.
    pub(crate) fn forget(&self, fence: Fence) {
        self.held.lock().remove(&fence);
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
