//! The policy as a whole, with workers and a queue that are played: what a small team waits beside a flood, and whether
//! workers are kept busy. Time is counted, not waited for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use types::{ProcessId, ProcessRole, TaskClass::Normal, TaskId, TeamName, Timestamp};

use super::backlog::Backlog;
use super::fed::Fed;
use super::samples::{team, waiting};
use super::window::Window;
use crate::controls::{Process, ProcessBeat};
use crate::store::Waiting;

const TICK: i64 = 500;

#[derive(Clone, Copy, PartialEq)]
enum Hints {
    Heard,
    Lost,
}

struct Played {
    backlog: Backlog,
    fed: Fed,
    window: Window,
    line: VecDeque<TaskId>,
    submitted: BTreeMap<TaskId, (TeamName, i64)>,
    /// When each worker is done.
    workers: Vec<i64>,
    service: i64,
    hints: Hints,
    /// Milliseconds that each task of a team waited, in the order of starting.
    waits: Vec<(TeamName, i64)>,
}

impl Played {
    fn new(workers: usize, service: i64, hints: Hints) -> Self {
        Played {
            backlog: Backlog::default(),
            fed: Fed::default(),
            window: Window::default(),
            line: VecDeque::new(),
            submitted: BTreeMap::new(),
            workers: vec![0; workers],
            service,
            hints,
            waits: Vec::new(),
        }
    }

    fn submit(&mut self, name: &str, cost: u32, now: i64) {
        let task = Waiting { cost, ..waiting(name, Normal, now) };
        self.submitted.insert(task.task, (task.team.clone(), now));
        self.backlog.add(task);
    }

    /// One millisecond.
    fn step(&mut self, now: i64) {
        if now % TICK == 0 {
            // What hints did not tell.
            for task in self.fed.next_slice(usize::MAX) {
                if !self.line.contains(&task) {
                    self.fed.forget(task);
                    self.window.left(Normal);
                }
            }
            self.window.look(Duration::from_millis(TICK as u64), &[self.process(now)]);
        }
        if now % TICK == 0 || self.hints == Hints::Heard {
            self.feed();
        }
        for worker in 0..self.workers.len() {
            if now < self.workers[worker] {
                continue;
            }
            let Some(task) = self.line.pop_front() else { break };
            self.workers[worker] = now + self.service;
            let (team, since) = &self.submitted[&task];
            self.waits.push((team.clone(), now - since));
            if self.hints == Hints::Heard && self.fed.forget(task).is_some() {
                self.window.left(Normal);
            }
        }
    }

    fn feed(&mut self) {
        while self.fed.count(Normal) < self.window.size(Normal, Duration::from_millis(TICK as u64)) {
            let Some(task) = self.backlog.take(Normal) else { break };
            self.fed.add(task.task, Normal);
            self.line.push_back(task.task);
        }
    }

    fn process(&self, now: i64) -> Process {
        let busy = self.workers.iter().filter(|until| now < **until).count() as u32;
        let beat = ProcessBeat {
            process: ProcessId::new(),
            role: ProcessRole::Worker,
            slots: self.workers.len() as u32,
            busy,
        };
        Process { beat, started_at: Timestamp::from_millis(0), seen_at: Timestamp::from_millis(now) }
    }

    fn worst_wait(&self, name: &str) -> i64 {
        self.waits.iter().filter(|(of, _)| *of == team(name)).map(|(_, wait)| *wait).max().unwrap()
    }
}

#[test]
fn beside_a_flood_a_small_team_waits_for_seconds_and_not_for_the_flood() {
    for (workers, service) in [(8, 400), (5, 5_000), (50, 20)] {
        let mut played = Played::new(workers, service, Hints::Heard);
        (0..30_000).for_each(|_| played.submit("flood", 1, 0));
        for now in 0..60_000 {
            // A quarter of what the workers can do, or less.
            if now % (4 * service / workers as i64).max(1_000) == 700 {
                played.submit("small", 1, now);
            }
            played.step(now);
        }
        let bound = 2 * TICK + 3 * service;
        assert!(played.worst_wait("small") <= bound, "{} ms with {workers} workers", played.worst_wait("small"));
        let started = played.waits.len() as i64;
        let could = (60_000 * workers as i64 / service).min(30_000);
        assert!(could * 9 / 10 <= started, "workers are kept busy: {started} of {could}");
    }
}

#[test]
fn dear_tasks_of_one_team_leave_room_for_cheap_ones_of_another() {
    let mut played = Played::new(8, 100, Hints::Heard);
    (0..3_000).for_each(|_| played.submit("dear", 900, 0));
    (0..3_000).for_each(|_| played.submit("cheap", 100, 0));
    (0..20_000).for_each(|now| played.step(now));
    let cheap = played.waits.iter().filter(|(of, _)| *of == team("cheap")).count();
    let share = cheap as f64 / played.waits.len() as f64;
    assert!((0.88..0.92).contains(&share), "{share}");
}

#[test]
fn two_thousand_tasks_a_second_flow_even_where_no_hint_is_heard() {
    for (hints, warm_up) in [(Hints::Heard, 2_000), (Hints::Lost, 12_000)] {
        let mut played = Played::new(20, 10, hints);
        (0..40_000).for_each(|_| played.submit("flood", 1, 0));
        (0..warm_up + 5_000).for_each(|now| played.step(now));
        let flown = played.waits.iter().filter(|(_, wait)| warm_up <= *wait).count();
        assert!(5 * 2_000 * 95 / 100 <= flown, "{flown} tasks in five seconds");
    }
}
