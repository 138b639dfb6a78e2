//! Applies the autoscaler's decisions: starts workers, drains them, replaces those that died.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use types::{ProcessId, TaskClass, TaskState, WorkerId};

use super::autoscaler::{PoolLimits, PoolStats, decide};
use super::occupancy::Occupancy;
use super::slot::{Slot, SlotState};
use crate::worker::{Worker, Workplace};

/// Between two looks at the pool.
const TICK: Duration = Duration::from_millis(250);

/// Keeps the number of workers where the autoscaler wants it.
pub struct PoolManager {
    place: Arc<Workplace>,
    process: ProcessId,
    limits: PoolLimits,
    slots: Vec<Slot>,
    /// One permit for each worker that may work on other than interactive tasks.
    unreserved: Arc<Semaphore>,
    occupancy: Arc<Occupancy>,
    abort: CancellationToken,
    grown_at: Option<Instant>,
    /// The store did not say what waits, and that was logged.
    is_blind: bool,
}

impl PoolManager {
    /// A pool without workers; [`run`](Self::run) starts them.
    pub fn new(place: Arc<Workplace>, process: ProcessId, limits: PoolLimits) -> Self {
        PoolManager {
            place,
            process,
            limits,
            slots: Vec::new(),
            unreserved: Arc::new(Semaphore::new(limits.unreserved())),
            occupancy: Arc::default(),
            abort: CancellationToken::new(),
            grown_at: None,
            is_blind: false,
        }
    }

    /// How many workers there are and how many of them work, now and later.
    pub fn occupancy(&self) -> Arc<Occupancy> {
        self.occupancy.clone()
    }

    /// Manages the pool until `shutdown` or until the queue is closed, then drains it: running tasks get `grace` to
    /// finish, then they are released.
    pub async fn run(mut self, shutdown: CancellationToken, grace: Duration) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => if self.look().await.is_break() { break },
            }
        }
        self.drain(grace).await;
    }

    /// One look at the pool: buries what ended, asks for the target, moves towards it. Breaks when there is nothing
    /// to take any more.
    async fn look(&mut self) -> ControlFlow<()> {
        self.remove_ended().await?;
        // Asked of the store, since the queue is kept short.
        let figures = match self.place.store.figures().await {
            Ok(figures) => figures,
            Err(error) => {
                if !std::mem::replace(&mut self.is_blind, true) {
                    warn!(%error, "how much waits is unknown; the pool stays as it is");
                }
                return ControlFlow::Continue(());
            }
        };
        self.is_blind = false;
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let now = Instant::now();
        let active = self.slots.iter().filter(|slot| slot.state() != SlotState::Draining).count();
        let stats = PoolStats {
            depth: count(figures.in_state(TaskState::Queued)),
            interactive: count(figures.queued(TaskClass::Interactive)),
            workers: active,
            idle_for: self.slots.iter().filter_map(|slot| slot.idle_for(now)).collect(),
            since_growth: self.grown_at.map(|at| now.saturating_duration_since(at)),
        };
        let target = decide(&stats, &self.limits);
        if target.workers > active {
            self.grow(target.workers - active);
            if target.workers > self.limits.warm {
                self.grown_at = Some(now);
            }
        } else {
            self.shrink(active - target.workers, now);
        }
        self.publish(target.workers);
        ControlFlow::Continue(())
    }

    fn grow(&mut self, count: usize) {
        for _ in 0..count {
            let number = (0..).find(|number| self.slots.iter().all(|slot| slot.number != *number)).unwrap_or_default();
            let id = WorkerId { process: self.process.clone(), slot: number };
            let worker = Worker::new(id, self.place.clone(), self.unreserved.clone());
            self.slots.push(Slot::start(worker, self.abort.clone()));
        }
        info!(workers = self.slots.len(), "workers added");
    }

    /// Drains the workers that have been idle the longest.
    fn shrink(&mut self, count: usize, now: Instant) {
        let mut idle: Vec<&Slot> = self.slots.iter().filter(|slot| slot.idle_for(now).is_some()).collect();
        idle.sort_by_key(|slot| std::cmp::Reverse(slot.idle_for(now)));
        for slot in idle.into_iter().take(count) {
            info!(slot = slot.number, "idle worker recycled");
            slot.drain();
        }
    }

    /// Breaks when a worker ended unasked: the queue is closed.
    async fn remove_ended(&mut self) -> ControlFlow<()> {
        let (ended, alive): (Vec<_>, Vec<_>) = std::mem::take(&mut self.slots).into_iter().partition(Slot::has_ended);
        self.slots = alive;
        let mut flow = ControlFlow::Continue(());
        for slot in ended {
            let (number, asked) = (slot.number, slot.state() == SlotState::Draining);
            match slot.join().await {
                Ok(()) if asked => {}
                Ok(()) => flow = ControlFlow::Break(()),
                Err(error) => {
                    error!(slot = number, %error, "a worker died; its task's lease will expire, and it is replaced");
                }
            }
        }
        flow
    }

    fn publish(&self, target: usize) {
        let count = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.place.metrics.pool_target.set(count(target));
        for state in SlotState::ALL {
            let workers = self.slots.iter().filter(|slot| slot.state() == state).count();
            self.place.metrics.pool_workers.with_label_values(&[state.as_str()]).set(count(workers));
        }
        let idle = self.slots.iter().filter(|slot| slot.state() == SlotState::Idle).count();
        self.occupancy.set(self.slots.len(), self.slots.len() - idle);
    }

    async fn drain(mut self, grace: Duration) {
        for slot in &self.slots {
            slot.drain();
        }
        self.publish(0);
        let abort = self.abort.clone();
        let ended = futures::future::join_all(std::mem::take(&mut self.slots).into_iter().map(Slot::join));
        tokio::pin!(ended);
        if tokio::time::timeout(grace, &mut ended).await.is_err() {
            warn!("tasks still run after the grace period; they are released and will run again");
            abort.cancel();
            ended.await;
        }
        self.publish(0);
    }
}
