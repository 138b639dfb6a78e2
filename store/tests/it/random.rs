//! Random lives of tasks: several workers, lost ones, late ones, cancellations, pauses, keys, forgetting, restarts.
//! Whatever the order, the laws hold: every accepted task is there until it is forgotten, one attempt at a time may
//! write, a task ends once, and nothing is opened that is paused or whose key is taken.

mod known;

use std::collections::{HashMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use store::{
    Cancelling, Clock, Concurrency, Edit, Ended, Ending, EventKind, Fence, LeaseSweep, NewTask, Opened, Purging,
    Renewal, Requeueing, Retention, Scope, Store, StoreError, Waiting, Withheld,
};
use types::{TaskClass, TaskId, TaskState, Timestamp};

use self::known::Known;
use crate::world::{Home, LEASE, Limits, SECOND, actor, clock, complete, failure, new_step, new_task, retry, worker};

const SEEDS: u64 = 24;
const SEEDS_ON_A_SERVER: u64 = 4;
const ACTS: usize = 150;
const LIMITS: Limits = Limits { max_queued: 12, max_losses: 2 };

#[tokio::test]
async fn the_laws_hold_in_a_file_in_any_order_of_events() {
    live(SEEDS, async |clock| Home::file(LIMITS, clock)).await;
}

#[tokio::test]
async fn the_laws_hold_on_a_server_in_any_order_of_events() {
    live(SEEDS_ON_A_SERVER, async |clock| Home::server(LIMITS, clock).await).await;
}

/// One seed is new in every run; it is printed, as the others are, when a law is broken.
async fn live(seeds: u64, home: impl AsyncFn(&Clock) -> Home) {
    for seed in (0..seeds).chain([rand::random()]) {
        println!("seed {seed}");
        let mut life = Life::begin(seed, &home).await;
        for _ in 0..ACTS {
            life.act().await;
        }
        life.end().await;
    }
}

struct Life {
    random: StdRng,
    home: Home,
    clock: Clock,
    /// Each as in a process of its own.
    stores: Vec<Arc<dyn Store>>,
    /// The one that acts.
    store: Arc<dyn Store>,
    tasks: Vec<TaskId>,
    known: HashMap<TaskId, Known>,
    pauses: HashSet<Scope>,
    /// Every attempt there ever was: holders, and those who do not know yet that they lost.
    fences: Vec<Fence>,
    /// How attempts ended: asked again in the same way, the store answers the same.
    outcomes: HashMap<Fence, (Discriminant<Ending>, Ended)>,
}

impl Life {
    async fn begin(seed: u64, home: impl AsyncFn(&Clock) -> Home) -> Self {
        let clock = clock();
        let home = home(&clock).await;
        let mut stores = vec![home.open().await];
        if !home.has_one_owner() {
            stores.push(home.open().await);
        }
        let store = Arc::clone(&stores[0]);
        let random = StdRng::seed_from_u64(seed);
        let (tasks, known, pauses, fences, outcomes) = Default::default();
        Life { random, home, clock, stores, store, tasks, known, pauses, fences, outcomes }
    }

    async fn act(&mut self) {
        self.store = Arc::clone(self.stores.choose(&mut self.random).unwrap());
        match self.random.random_range(0..100) {
            0..18 => self.accept().await,
            18..43 => self.open().await,
            43..50 => self.renew().await,
            50..72 => self.finish().await,
            72..76 => self.step().await,
            76..80 => self.cancel().await,
            80..84 => self.requeue().await,
            84..86 => self.purge().await,
            86..88 => self.prune().await,
            88..90 => self.pause_or_resume().await,
            90..96 => self.pass_time().await,
            96..98 => self.restart().await,
            _ => self.check().await,
        }
    }

    async fn accept(&mut self) {
        let now = self.clock.now();
        let task = NewTask {
            class: *TaskClass::ALL.choose(&mut self.random).unwrap(),
            due_at: self.random.random_bool(0.3).then(|| now.after(SECOND * self.random.random_range(0..90))),
            deadline_at: self.random.random_bool(0.2).then(|| now.after(SECOND * self.random.random_range(1..200))),
            concurrency: self.random.random_bool(0.4).then(|| Concurrency {
                key: format!("c{}", self.random.random_range(0..2)),
                limit: self.random.random_range(1..3),
            }),
            idempotency_key: self.random.random_bool(0.3).then(|| format!("k{}", self.random.random_range(0..5))),
            ..new_task()
        };
        for answer in self.store.accept(vec![task.clone(), task.clone()], &actor()).await.unwrap().into_iter().flatten()
        {
            assert_eq!(answer.existing, self.known.contains_key(&answer.id));
            if !answer.existing {
                self.tasks.push(answer.id);
                let known = Known {
                    class: task.class,
                    concurrency: task.concurrency.clone(),
                    current: None,
                    attempts: 0,
                    ended: None,
                    requeued: 0,
                    is_gone: false,
                };
                self.known.insert(answer.id, known);
            }
        }
    }

    async fn open(&mut self) {
        let Some(&task) = self.tasks.choose(&mut self.random) else { return };
        let worker = worker(self.random.random_range(0..4));
        let opened = self.store.open(task, &worker, LEASE).await.unwrap();
        let now = self.clock.now();
        let is_paused = self.is_paused(self.known[&task].class);
        let (surely, perhaps) = self.running_beside(task);
        let known = self.known.get_mut(&task).unwrap();
        let limit = known.concurrency.as_ref().map_or(usize::MAX, |concurrency| concurrency.limit as usize);
        match opened {
            Opened::Held(task) => {
                assert!(!is_paused, "opened in a pause");
                assert!(surely < limit, "opened while its key was taken");
                assert_eq!(known.ended, None, "opened after its end");
                if let Some((_, until)) = known.current {
                    assert!(until <= now, "opened while another holds it");
                }
                known.attempts += 1;
                assert_eq!(task.attempt.0, known.attempts);
                let fence = Fence { task: task.id, attempt: task.attempt };
                known.current = Some((fence, now.after(LEASE)));
                self.fences.push(fence);
            }
            Opened::Gone(state) if state.is_terminal() => known.observe(state),
            Opened::Gone(_) => {}
            Opened::Withheld(Withheld::Paused) => assert!(is_paused),
            Opened::Withheld(Withheld::KeyBusy) => assert!(limit <= perhaps),
            Opened::Unknown => assert!(known.is_gone),
        }
    }

    fn is_paused(&self, class: TaskClass) -> bool {
        self.pauses.contains(&Scope::All) || self.pauses.contains(&Scope::Class(class))
    }

    /// How many others with the task's key surely run, and how many may.
    fn running_beside(&self, task: TaskId) -> (usize, usize) {
        let key = |known: &Known| known.concurrency.as_ref().map(|concurrency| concurrency.key.clone());
        let asked = key(&self.known[&task]);
        let others = self.known.iter().filter(|&(&id, known)| id != task && asked.is_some() && key(known) == asked);
        let held: Vec<Timestamp> = others.filter_map(|(_, known)| known.current.map(|(_, until)| until)).collect();
        let now = self.clock.now();
        (held.iter().filter(|&&until| now < until).count(), held.len())
    }

    async fn renew(&mut self) {
        let held: Vec<Fence> = self.fences.sample(&mut self.random, 3).copied().collect();
        let renewals = self.store.renew(&held, LEASE).await.unwrap();
        for (fence, renewal) in held.into_iter().zip(renewals) {
            let known = self.known.get_mut(&fence.task).unwrap();
            match renewal {
                Renewal::Held(until) | Renewal::CancelRequested(until) => {
                    known.assert_may_write(fence);
                    known.current = Some((fence, until));
                }
                Renewal::Lost => known.assert_may_have_lost(fence, self.clock.now()),
            }
        }
    }

    async fn finish(&mut self) {
        let Some(&fence) = self.fences.choose(&mut self.random) else { return };
        let endings = [
            complete(),
            complete(),
            Ending::Fail(failure()),
            retry(),
            retry(),
            Ending::Bury(failure()),
            Ending::Release,
            Ending::Cancelled,
        ];
        let ending = endings.choose(&mut self.random).unwrap().clone();
        let kind = discriminant(&ending);
        let result = self.store.end(fence, ending).await;
        if let Some(&(before, outcome)) = self.outcomes.get(&fence) {
            match result {
                Ok(ended) => assert_eq!(outcome, ended, "an attempt ends once"),
                Err(StoreError::LeaseLost { .. }) => {
                    assert!(before != kind || self.known[&fence.task].is_gone, "its own outcome is not known again");
                }
                Err(error) => panic!("{error}"),
            }
            return;
        }
        let known = self.known.get_mut(&fence.task).unwrap();
        match result {
            Ok(ended) => {
                known.assert_may_write(fence);
                known.current = None;
                self.outcomes.insert(fence, (kind, ended));
                if ended.state.is_terminal() {
                    known.observe(ended.state);
                }
            }
            Err(StoreError::LeaseLost { .. }) => known.assert_may_have_lost(fence, self.clock.now()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn step(&mut self) {
        let Some(&fence) = self.fences.choose(&mut self.random) else { return };
        let known = &self.known[&fence.task];
        match self.store.record_step(fence, new_step(self.clock.now())).await {
            Ok(_) => known.assert_may_write(fence),
            Err(StoreError::LeaseLost { .. }) => known.assert_may_have_lost(fence, self.clock.now()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn cancel(&mut self) {
        let Some(&task) = self.tasks.choose(&mut self.random) else { return };
        let known = self.known.get_mut(&task).unwrap();
        match self.store.cancel(task, &actor()).await.unwrap() {
            Cancelling::Cancelled => known.observe(TaskState::Cancelled),
            Cancelling::Requested => assert!(known.current.is_some()),
            Cancelling::Ended(state) => known.observe_ended(state),
            Cancelling::Unknown => assert!(known.is_gone),
        }
    }

    async fn requeue(&mut self) {
        let Some(&task) = self.tasks.choose(&mut self.random) else { return };
        let known = self.known.get_mut(&task).unwrap();
        match self.store.requeue(task, &Edit::default(), &actor()).await.unwrap() {
            Requeueing::Queued => {
                known.observe_ended(TaskState::Dead);
                known.ended = None;
                known.current = None;
                known.requeued += 1;
            }
            Requeueing::NotDead(state) => assert_ne!(state, TaskState::Dead),
            Requeueing::Unknown => assert!(known.is_gone),
        }
    }

    async fn purge(&mut self) {
        let Some(&task) = self.tasks.choose(&mut self.random) else { return };
        let known = self.known.get_mut(&task).unwrap();
        match self.store.purge(task, &actor()).await.unwrap() {
            Purging::Purged => {
                known.observe_ended(TaskState::Dead);
                known.is_gone = true;
            }
            Purging::NotDead(state) => assert_ne!(state, TaskState::Dead),
            Purging::Unknown => assert!(known.is_gone),
        }
    }

    async fn prune(&mut self) {
        self.check().await;
        let mut kept = || self.random.random_bool(0.5).then(|| SECOND * self.random.random_range(0..200));
        let retention =
            Retention { succeeded: kept(), failed: kept(), cancelled: kept(), dead: kept(), documents: kept() };
        let limit = self.random.random_range(0..5);
        let pruned = self.store.prune(&retention, limit).await.unwrap();
        let mut gone = 0;
        for (&id, known) in self.known.iter_mut().filter(|(_, known)| !known.is_gone) {
            if self.store.task(id).await.unwrap().is_none() {
                known.is_gone = true;
                gone += 1;
                let may_go = match known.ended {
                    Some(TaskState::Succeeded) => retention.succeeded,
                    Some(TaskState::Failed) => retention.failed,
                    Some(TaskState::Cancelled) => retention.cancelled,
                    Some(TaskState::Dead) => retention.dead,
                    _ => None,
                };
                assert!(may_go.is_some(), "forgotten as {:?} by {retention:?}", known.ended);
            }
        }
        assert_eq!(pruned.tasks, gone);
        assert!(gone <= limit);
    }

    async fn pause_or_resume(&mut self) {
        let scopes = [Scope::All, Scope::Class(TaskClass::Normal), Scope::Class(TaskClass::Batch)];
        let scope = scopes.choose(&mut self.random).unwrap();
        if self.random.random_bool(0.4) {
            self.store.pause(scope, "chance", &actor()).await.unwrap();
            self.pauses.insert(scope.clone());
        } else {
            assert_eq!(self.store.resume(scope, &actor()).await.unwrap(), self.pauses.remove(scope));
        }
    }

    async fn pass_time(&mut self) {
        self.clock.advance(Duration::from_millis(self.random.random_range(0..70_000)));
        self.store.sweep(self.random.random_range(1..20), LeaseSweep::Expire).await.unwrap();
    }

    /// A process ends and another begins. Who held something there does not know that it is gone, if it is.
    async fn restart(&mut self) {
        let place = self.random.random_range(0..self.stores.len());
        self.stores[place].close().await;
        self.stores[place] = self.home.open().await;
        self.store = Arc::clone(&self.stores[place]);
        // A file has one owner, so who held leases before is gone; on a server they may live elsewhere.
        if self.home.has_one_owner() {
            for (_, until) in self.known.values_mut().filter_map(|known| known.current.as_mut()) {
                *until = (*until).min(self.clock.now());
            }
        }
    }

    async fn check(&mut self) {
        let conservation = self.store.conservation().await.unwrap();
        assert!(conservation.holds(), "{conservation:?}");
        assert_eq!(conservation.accepted, self.tasks.len() as u64);
        assert_eq!(conservation.pruned, self.known.values().filter(|known| known.is_gone).count() as u64);
        for (&id, known) in &mut self.known {
            let task = self.store.task(id).await.unwrap();
            assert_eq!(task.is_none(), known.is_gone, "an accepted task is there until it is forgotten");
            let Some(task) = task else { continue };
            match known.ended {
                Some(ended) => assert_eq!(task.state, ended, "a task ends once"),
                None if task.state.is_terminal() => known.observe(task.state),
                None => {}
            }
        }
    }

    /// With time and patience everything ends, once.
    async fn end(mut self) {
        for scope in self.pauses.drain() {
            assert!(self.store.resume(&scope, &actor()).await.unwrap());
        }
        for round in 0.. {
            self.clock.advance(LEASE);
            self.store.sweep(1000, LeaseSweep::Expire).await.unwrap();
            let queued = self.store.queued(None, 1000).await.unwrap();
            let figures = self.store.figures().await.unwrap();
            if queued.is_empty() && figures.waiting() == 0 && figures.in_state(TaskState::Running) == 0 {
                break;
            }
            assert!(round < 100, "tasks are stuck: {figures:?}");
            for Waiting { task, .. } in queued {
                if let Opened::Held(task) = self.store.open(task, &worker(0), LEASE).await.unwrap() {
                    let fence = Fence { task: task.id, attempt: task.attempt };
                    self.store.end(fence, complete()).await.unwrap();
                }
            }
        }
        self.check().await;
        for (&task, known) in self.known.iter().filter(|(_, known)| !known.is_gone) {
            assert!(known.ended.is_some());
            let events = self.store.events(task, 0, 10_000).await.unwrap();
            let is_end = |kind| {
                matches!(kind, EventKind::Succeeded | EventKind::Failed | EventKind::Cancelled | EventKind::Dead)
            };
            let ends = events.iter().filter(|event| is_end(event.kind)).count();
            assert_eq!(ends, 1 + known.requeued, "{events:?}");
        }
    }
}
