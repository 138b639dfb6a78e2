//! The queue inside the process: three lines and a table of what is delivered.
//!
//! It sets itself no bound: it holds at most one entry per waiting row of the store, and the store bounds those
//! (`max_queued`). Everything here may be lost at any moment; the relay fills it again from the store.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use types::{TaskClass, TaskId, WorkerId};

use crate::order::ClassOrder;
use crate::queue::{Classes, Closed, Delivery, Depth, Queue, QueueError, Receipt};

/// How the queue in memory behaves.
#[derive(Clone, Copy, Debug)]
pub struct MemoryQueueSettings {
    /// How long a taken id may stay unacknowledged before it is handed out again. A worker needs one store write.
    pub visibility_timeout: Duration,
}

impl Default for MemoryQueueSettings {
    fn default() -> Self {
        MemoryQueueSettings { visibility_timeout: Duration::from_secs(30) }
    }
}

/// A [`Queue`] in this process's memory.
#[derive(Debug)]
pub struct MemoryQueue {
    settings: MemoryQueueSettings,
    lines: Mutex<Lines>,
    pushed: Pushed,
}

/// One permit per id: exactly one waiting worker wakes for it, and one that may take it.
#[derive(Debug, Default)]
struct Pushed {
    interactive: Notify,
    other: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    order: ClassOrder,
    waiting: [VecDeque<TaskId>; 3],
    /// Every id held, and where it stands.
    held: HashMap<TaskId, Place>,
    /// Receipts grow with time, so the first is the first to fall due.
    delivered: BTreeMap<Receipt, Delivered>,
    last_receipt: Receipt,
    closed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    Delivered { receipt: Receipt },
}

#[derive(Debug)]
struct Delivered {
    task: TaskId,
    class: TaskClass,
    due_back: Instant,
}

impl MemoryQueue {
    /// An empty queue.
    pub fn new(settings: MemoryQueueSettings) -> Self {
        MemoryQueue { settings, lines: Mutex::default(), pushed: Pushed::default() }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // No code panics while it holds the lock; the lines are whole in any case.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what can be taken now; otherwise says when to look again at the latest.
    fn try_take(&self, classes: Classes) -> Result<Take, Closed> {
        let mut lines = self.lines();
        if lines.closed {
            return Err(Closed);
        }
        let now = Instant::now();
        lines.bring_back(now);
        let due_back = now + self.settings.visibility_timeout;
        let Some(delivery) = lines.deliver(classes, due_back) else {
            // What is delivered while this worker waits falls due back later than `due_back`.
            return Ok(Take::Nothing {
                until: lines.delivered.values().next().map_or(due_back, |first| first.due_back),
            });
        };
        // Permits do not add up while nobody waits: pass the wake-up on.
        for class in TaskClass::ALL.into_iter().filter(|&class| !lines.waiting[class as usize].is_empty()) {
            self.pushed.of(class).notify_one();
        }
        Ok(Take::Delivery(delivery))
    }
}

enum Take {
    Delivery(Delivery),
    Nothing { until: Instant },
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn push(&self, ids: &[(TaskId, TaskClass)]) -> Result<(), QueueError> {
        let mut lines = self.lines();
        for &(task, class) in ids {
            if lines.push(task, class)? {
                self.pushed.of(class).notify_one();
            }
        }
        Ok(())
    }

    async fn take(&self, _worker: &WorkerId, classes: Classes) -> Result<Delivery, QueueError> {
        loop {
            // Made before the look, so that a push or a close between the look and the wait is not missed.
            let interactive = self.pushed.interactive.notified();
            let other = self.pushed.other.notified();
            match self.try_take(classes)? {
                Take::Delivery(delivery) => return Ok(delivery),
                Take::Nothing { until } => tokio::select! {
                    () = interactive => {}
                    () = other, if classes == Classes::All => {}
                    () = sleep_until(until) => {}
                },
            }
        }
    }

    async fn acknowledge(&self, delivery: Delivery) -> Result<(), QueueError> {
        self.lines().forget(&delivery);
        Ok(())
    }

    async fn holds(&self, ids: &[TaskId]) -> Result<Vec<bool>, QueueError> {
        let lines = self.lines();
        Ok(ids.iter().map(|task| lines.held.contains_key(task)).collect())
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let lines = self.lines();
        Ok(Depth { waiting: lines.waiting.each_ref().map(VecDeque::len), delivered: lines.delivered.len() })
    }

    async fn close(&self) {
        self.lines().closed = true;
        self.pushed.interactive.notify_waiters();
        self.pushed.other.notify_waiters();
    }
}

impl Pushed {
    fn of(&self, class: TaskClass) -> &Notify {
        match class {
            TaskClass::Interactive => &self.interactive,
            TaskClass::Normal | TaskClass::Batch => &self.other,
        }
    }
}

impl Lines {
    /// Whether the id is new here.
    fn push(&mut self, task: TaskId, class: TaskClass) -> Result<bool, Closed> {
        if self.closed {
            return Err(Closed);
        }
        if self.held.contains_key(&task) {
            return Ok(false);
        }
        self.held.insert(task, Place::Waiting);
        self.waiting[class as usize].push_back(task);
        Ok(true)
    }

    fn deliver(&mut self, classes: Classes, due_back: Instant) -> Option<Delivery> {
        let class = match classes {
            Classes::All => self.order.pick(self.waiting.each_ref().map(VecDeque::len))?,
            Classes::Interactive => TaskClass::Interactive,
        };
        let task = self.waiting[class as usize].pop_front()?;
        self.last_receipt += 1;
        let receipt = self.last_receipt;
        self.held.insert(task, Place::Delivered { receipt });
        self.delivered.insert(receipt, Delivered { task, class, due_back });
        Some(Delivery::new(task, class, receipt))
    }

    /// Puts every id whose visibility timeout has passed at the front of its line: it has waited longest.
    fn bring_back(&mut self, now: Instant) {
        let mut due = Vec::new();
        while let Some(first) = self.delivered.first_entry() {
            if now < first.get().due_back {
                break;
            }
            due.push(first.remove());
        }
        for delivered in due.into_iter().rev() {
            self.held.insert(delivered.task, Place::Waiting);
            self.waiting[delivered.class as usize].push_front(delivered.task);
        }
    }

    fn forget(&mut self, delivery: &Delivery) {
        // A late acknowledgement of an earlier delivery must not forget the later one.
        if self.held.get(&delivery.task()) == Some(&Place::Delivered { receipt: delivery.receipt }) {
            self.held.remove(&delivery.task());
            self.delivered.remove(&delivery.receipt);
        }
    }
}
