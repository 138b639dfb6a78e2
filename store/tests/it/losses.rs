//! No id is ever forgotten, whatever the queue, the hints, the leader and the workers lose.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use store::{Concurrency, Ending, NewTask, Opened, Relay, RelaySettings, Withheld};
use task_queue::{Classes, Delivery, Depth, MemoryQueue, MemoryQueueSettings, Queue, QueueError};
use types::{TaskClass, TaskId, WorkerId};

use crate::world::{LEASE, Limits, World, actor, complete, new_task, retry, sqlite};

const SEEDS: u64 = 8;
const ACTS: usize = 120;
/// Looks in which everything that is left has to be done.
const LOOKS: usize = 200;

/// Forgets ids as it likes, and is away at times.
struct Lossy {
    inner: Mutex<Arc<MemoryQueue>>,
    random: Mutex<StdRng>,
    is_away: AtomicBool,
}

fn empty() -> Arc<MemoryQueue> {
    // What was taken and not acknowledged comes back at the next take.
    Arc::new(MemoryQueue::new(MemoryQueueSettings { visibility_timeout: Duration::ZERO }))
}

impl Lossy {
    fn new(seed: u64) -> Self {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        Lossy { inner: Mutex::new(empty()), random, is_away: AtomicBool::new(false) }
    }

    fn inner(&self) -> Result<Arc<MemoryQueue>, QueueError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(QueueError::Unavailable { at: "a test".to_owned(), source: "it is away".into() });
        }
        Ok(self.inner.lock().unwrap().clone())
    }

    fn wipe(&self) {
        *self.inner.lock().unwrap() = empty();
    }

    /// What can be taken at once.
    async fn try_take(&self, worker: &WorkerId) -> Option<Delivery> {
        tokio::select! {
            biased;
            taken = self.take(worker, Classes::All) => taken.ok(),
            () = std::future::ready(()) => None,
        }
    }
}

#[async_trait]
impl Queue for Lossy {
    async fn push(&self, ids: &[(TaskId, TaskClass)]) -> Result<(), QueueError> {
        let inner = self.inner()?;
        let kept: Vec<_> = {
            let mut random = self.random.lock().unwrap();
            ids.iter().copied().filter(|_| random.random_bool(0.9)).collect()
        };
        inner.push(&kept).await
    }

    async fn take(&self, worker: &WorkerId, classes: Classes) -> Result<Delivery, QueueError> {
        self.inner()?.take(worker, classes).await
    }

    async fn acknowledge(&self, delivery: Delivery) -> Result<(), QueueError> {
        self.inner()?.acknowledge(delivery).await
    }

    async fn holds(&self, ids: &[TaskId]) -> Result<Vec<bool>, QueueError> {
        self.inner()?.holds(ids).await
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.inner()?.depth().await
    }

    async fn close(&self) {}
}

#[tokio::test]
async fn no_id_is_ever_forgotten() {
    // One seed is new in every run; it is printed, as the others are, when a task is forgotten.
    for seed in (0..SEEDS).chain([rand::random()]) {
        println!("seed {seed}");
        let mut life = Life::begin(seed).await;
        for _ in 0..ACTS {
            life.act().await;
        }
        life.end().await;
    }
}

struct Life {
    random: StdRng,
    world: World,
    queue: Arc<Lossy>,
    relay: Relay,
    tasks: Vec<TaskId>,
    paused: bool,
}

impl Life {
    async fn begin(seed: u64) -> Self {
        // Workers are lost over and over: that is no reason to bury anything here.
        let world = sqlite(Limits { max_queued: 10_000, max_losses: 1_000 }).await;
        let queue = Arc::new(Lossy::new(seed));
        let relay = relay(&world, &queue);
        Life { random: StdRng::seed_from_u64(seed), world, queue, relay, tasks: Vec::new(), paused: false }
    }

    async fn act(&mut self) {
        match self.random.random_range(0..100) {
            0..25 => self.accept().await,
            25..50 => drop(self.relay.run_once().await),
            50..75 => self.work(0.7).await,
            75..80 => self.queue.wipe(),
            80..84 => drop(self.queue.is_away.fetch_not(Ordering::SeqCst)),
            84..88 => self.world.clock.advance(Duration::from_secs(self.random.random_range(1..90))),
            // A leader that was thought dead takes hints away.
            88..91 => drop(self.world.store.take_outbox(3).await.unwrap()),
            91..94 => self.relay = relay(&self.world, &self.queue),
            94..97 => self.turn_pause().await,
            _ => {
                if let Some(task) = self.tasks.choose(&mut self.random) {
                    self.world.store.cancel(*task, &actor()).await.unwrap();
                }
            }
        }
    }

    async fn accept(&mut self) {
        let random = &mut self.random;
        let tasks: Vec<NewTask> = (0..random.random_range(1..12))
            .map(|_| NewTask {
                team: ["sales", "legal", "support"].choose(random).unwrap().parse().unwrap(),
                class: *TaskClass::ALL.choose(random).unwrap(),
                cost: random.random_range(1..5000),
                due_at: random.random_bool(0.1).then(|| self.world.clock.now().after(Duration::from_secs(20))),
                concurrency: random.random_bool(0.3).then(|| Concurrency { key: "k".to_owned(), limit: 2 }),
                ..new_task()
            })
            .collect();
        let accepted = self.world.store.accept(tasks, &actor()).await.unwrap();
        self.tasks.extend(accepted.into_iter().map(|accepted| accepted.unwrap().id));
    }

    /// Takes what there is and does some of it well; the rest is lost in one of the ways in which work is lost.
    async fn work(&mut self, well: f64) {
        for _ in 0..6 {
            let Some(delivery) = self.queue.try_take(&self.world.worker).await else { return };
            if !self.random.random_bool(well) && self.random.random_bool(0.3) {
                // The worker is lost before it opens the task.
                return;
            }
            let opened = self.world.try_open(delivery.task()).await;
            let _ = self.queue.acknowledge(delivery).await;
            let Opened::Held(task) = opened else { continue };
            let fence = store::Fence { task: task.id, attempt: task.attempt };
            let ending = match self.random.random_range(0.0..1.0) {
                share if share < well => complete(),
                share if share < well + (1.0 - well) / 3.0 => Ending::Release,
                share if share < well + (1.0 - well) / 1.5 => retry(),
                // Lost with its worker.
                _ => continue,
            };
            self.world.end(fence, ending).await;
        }
    }

    async fn turn_pause(&mut self) {
        let scope = "team:legal".parse().unwrap();
        if self.paused {
            self.world.store.resume(&scope, &actor()).await.unwrap();
        } else {
            self.world.store.pause(&scope, "a test", &actor()).await.unwrap();
        }
        self.paused = !self.paused;
    }

    /// The faults end; then everything that was accepted ends as well.
    async fn end(mut self) {
        self.queue.is_away.store(false, Ordering::SeqCst);
        if self.paused {
            self.turn_pause().await;
        }
        let mut left: HashSet<TaskId> = self.tasks.iter().copied().collect();
        for _ in 0..LOOKS {
            self.world.clock.advance(LEASE);
            self.relay.run_once().await.unwrap();
            self.work(1.0).await;
            for &task in &self.tasks {
                if left.contains(&task) && self.world.state(task).await.is_terminal() {
                    left.remove(&task);
                }
            }
            if left.is_empty() {
                break;
            }
        }
        assert!(left.is_empty(), "{} of {} are forgotten", left.len(), self.tasks.len());
        self.world.assert_conserved().await;
    }
}

fn relay(world: &World, queue: &Arc<Lossy>) -> Relay {
    let settings = RelaySettings { lease_timeout: Duration::ZERO, ..RelaySettings::default() };
    Relay::new(Arc::clone(&world.store), Arc::clone(queue) as Arc<dyn Queue>, settings)
}

#[tokio::test]
async fn a_key_that_is_busy_keeps_its_tasks_and_no_others_from_being_fed() {
    let world = sqlite(Limits::default()).await;
    let queue = empty();
    let settings = RelaySettings { lease_timeout: Duration::ZERO, ..RelaySettings::default() };
    let mut relay = Relay::new(Arc::clone(&world.store), queue.clone(), settings.clone());
    let keyed = || NewTask { concurrency: Some(Concurrency { key: "k".to_owned(), limit: 1 }), ..new_task() };
    let first = world.accept(keyed()).await.id;
    let second = world.accept(keyed()).await.id;
    assert_eq!(relay.run_once().await.unwrap().delivered, 1);
    let fence = world.open(first).await;
    assert_eq!(world.try_open(second).await, Opened::Withheld(Withheld::KeyBusy));
    queue.acknowledge(queue.take(&world.worker, Classes::All).await.unwrap()).await.unwrap();
    world.queued().await;
    assert_eq!(relay.run_once().await.unwrap().delivered, 1, "the one without a key");
    // A new leader has fed nothing yet, and knows all the same who runs.
    let mut relay = Relay::new(Arc::clone(&world.store), empty(), settings);
    assert_eq!(relay.run_once().await.unwrap().delivered, 1);
    world.end(fence, complete()).await;
    assert_eq!(relay.run_once().await.unwrap().delivered, 1, "the second");
}

#[tokio::test]
async fn what_is_paused_is_fed_when_the_pause_ends() {
    let world = sqlite(Limits::default()).await;
    let settings = RelaySettings { lease_timeout: Duration::ZERO, ..RelaySettings::default() };
    let mut relay = Relay::new(Arc::clone(&world.store), empty(), settings);
    let scope = "team:sales".parse().unwrap();
    world.store.pause(&scope, "a look at its documents", &actor()).await.unwrap();
    world.queued().await;
    assert_eq!(relay.run_once().await.unwrap().delivered, 0);
    world.store.resume(&scope, &actor()).await.unwrap();
    assert_eq!(relay.run_once().await.unwrap().delivered, 1);
}
