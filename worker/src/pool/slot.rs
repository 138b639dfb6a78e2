//! One place in the pool: a supervised worker and what it is doing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::worker::Worker;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// It waits for a task.
    Idle,
    /// It works on one.
    Busy,
    /// It ends after what it has.
    Draining,
}

impl SlotState {
    /// Every state.
    pub(crate) const ALL: [SlotState; 3] = [SlotState::Idle, SlotState::Busy, SlotState::Draining];

    /// The name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SlotState::Idle => "idle",
            SlotState::Busy => "busy",
            SlotState::Draining => "draining",
        }
    }
}

/// A worker's state and since when, shared with the pool manager.
#[derive(Debug)]
pub(crate) struct SlotStatus(Mutex<(SlotState, Instant)>);

impl SlotStatus {
    fn new() -> Self {
        SlotStatus(Mutex::new((SlotState::Idle, Instant::now())))
    }

    /// The worker is in `state` from now on.
    pub(crate) fn set(&self, state: SlotState) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (state, Instant::now());
    }

    fn get(&self) -> (SlotState, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Slot {
    pub(super) number: u32,
    status: Arc<SlotStatus>,
    drain: CancellationToken,
    worker: JoinHandle<()>,
}

impl Slot {
    pub(super) fn start(worker: Worker, abort: CancellationToken) -> Self {
        let status = Arc::new(SlotStatus::new());
        let drain = CancellationToken::new();
        let number = worker.slot();
        let worker = tokio::spawn(worker.run(status.clone(), drain.clone(), abort));
        Slot { number, status, drain, worker }
    }

    pub(super) fn state(&self) -> SlotState {
        if self.drain.is_cancelled() { SlotState::Draining } else { self.status.get().0 }
    }

    /// How long it has been idle; `None` while it works or drains.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        let (_, since) = self.status.get();
        (self.state() == SlotState::Idle).then(|| now.saturating_duration_since(since))
    }

    pub(super) fn drain(&self) {
        self.drain.cancel();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.worker.is_finished()
    }

    /// Waits for the worker's end; says whether it ended as it should.
    pub(super) async fn join(self) -> Result<(), tokio::task::JoinError> {
        self.worker.await
    }
}
