//! The queued tasks that the queue does not hold, in the order in which it gets them. Pure.
//!
//! Per class a line in fair order between teams. Not in line are those that a pause covers, and those whose key is at its
//! limit. There is at most one entry for each queued row of the store, and the store bounds those (`max_queued`).

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use types::{TaskClass, TaskId};

use super::fair::{FairLine, Place, Weights};
use super::keys::{Head, KeyName, Keys};
use crate::controls::Scope;
use crate::store::Waiting;

/// Queued tasks that the queue does not hold.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    tasks: BTreeMap<TaskId, Waiting>,
    counts: [usize; 3],
    lines: [FairLine; 3],
    keys: Keys,
    weights: Weights,
    pauses: HashSet<Scope>,
    /// Those that a pause covers: in no line, and waiting for no key.
    paused: HashSet<TaskId>,
}

/// A part of the store's queued rows, read at one moment.
#[derive(Debug)]
pub(crate) struct Page {
    /// It begins after this one; at the first if `None`.
    pub(crate) after: Option<TaskId>,
    /// In order of id.
    pub(crate) queued: Vec<Waiting>,
    /// Whether more come after the last.
    pub(crate) has_more: bool,
}

impl Waiting {
    pub(crate) fn place(&self) -> Place {
        (self.queued_at, self.task)
    }
}

impl Backlog {
    /// The task is queued: it neither runs nor is fed.
    pub(crate) fn add(&mut self, waiting: Waiting) {
        self.ended(waiting.task);
        self.counts[waiting.class as usize] += 1;
        if self.pauses.iter().any(|scope| scope.covers(&waiting)) {
            self.paused.insert(waiting.task);
        } else {
            self.line_up(&waiting);
        }
        self.tasks.insert(waiting.task, waiting);
    }

    /// Takes the next task of a class. It holds its key from now on.
    pub(crate) fn take(&mut self, class: TaskClass) -> Option<Waiting> {
        let task = self.lines[class as usize].pop(&self.weights)?;
        let waiting = self.remove(task)?;
        if let Some(name) = KeyName::of(&waiting) {
            self.hold(&name, task);
        }
        Some(waiting)
    }

    /// Puts back a task that was taken and not served.
    pub(crate) fn give_back(&mut self, waiting: Waiting) {
        self.lines[waiting.class as usize].refund(&waiting.team, waiting.cost, &self.weights);
        self.add(waiting);
    }

    /// The task runs.
    pub(crate) fn opened(&mut self, task: TaskId) {
        if let Some(name) = self.remove(task).as_ref().and_then(KeyName::of) {
            self.hold(&name, task);
        }
    }

    /// The task neither is queued nor runs.
    pub(crate) fn ended(&mut self, task: TaskId) {
        self.remove(task);
        if let Some(name) = self.keys.held_by(task).cloned() {
            self.change_key(&name, |keys| keys.release(task));
        }
    }

    /// These tasks run and hold keys; beside them only those do that are fed.
    pub(crate) fn set_running(&mut self, running: Vec<(TaskId, KeyName)>, is_fed: impl Fn(TaskId) -> bool) {
        let ids: HashSet<TaskId> = running.iter().map(|(task, _)| *task).collect();
        for task in self.keys.holders_except(|task| ids.contains(&task) || is_fed(task)) {
            self.ended(task);
        }
        for (task, name) in running {
            self.remove(task);
            self.hold(&name, task);
        }
    }

    /// The shares of teams from now on.
    pub(crate) fn set_weights(&mut self, weights: Weights) {
        self.weights = weights;
    }

    /// The pauses in force. Only a change costs something: it walks every entry once.
    pub(crate) fn set_pauses(&mut self, pauses: HashSet<Scope>) {
        if self.pauses == pauses {
            return;
        }
        let mut changed = Vec::new();
        for waiting in self.tasks.values() {
            let is_paused = pauses.iter().any(|scope| scope.covers(waiting));
            if is_paused != self.paused.contains(&waiting.task) {
                changed.push(waiting.clone());
            }
        }
        self.pauses = pauses;
        for waiting in changed {
            if self.paused.remove(&waiting.task) {
                self.line_up(&waiting);
            } else {
                self.paused.insert(waiting.task);
                self.step_out(&waiting);
            }
        }
    }

    /// Makes the entries of a page's part what the store says; returns how many were missing here. What is fed belongs to
    /// the queue.
    pub(crate) fn correct(&mut self, page: Page, is_fed: impl Fn(TaskId) -> bool) -> u64 {
        let from = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let to =
            page.queued.last().filter(|_| page.has_more).map_or(Bound::Unbounded, |last| Bound::Included(last.task));
        let ids: HashSet<TaskId> = page.queued.iter().map(|waiting| waiting.task).collect();
        let here = self.tasks.range((from, to)).map(|(task, _)| *task);
        for stale in here.filter(|task| !ids.contains(task)).collect::<Vec<_>>() {
            self.ended(stale);
        }
        let mut missing = 0;
        for waiting in page.queued {
            if !self.tasks.contains_key(&waiting.task) && !is_fed(waiting.task) {
                self.add(waiting);
                missing += 1;
            }
        }
        missing
    }

    /// How many of a class there are, in line or not.
    pub(crate) fn count(&self, class: TaskClass) -> usize {
        self.counts[class as usize]
    }

    fn remove(&mut self, task: TaskId) -> Option<Waiting> {
        let waiting = self.tasks.remove(&task)?;
        self.counts[waiting.class as usize] -= 1;
        if !self.paused.remove(&task) {
            self.step_out(&waiting);
        }
        Some(waiting)
    }

    fn hold(&mut self, name: &KeyName, task: TaskId) {
        self.change_key(name, |keys| keys.hold(name, task));
    }

    /// Into its line, or among those that wait for its key.
    fn line_up(&mut self, waiting: &Waiting) {
        match KeyName::of(waiting) {
            Some(name) => self.change_key(&name, |keys| keys.wait(&name, waiting)),
            None => self.lines[waiting.class as usize].insert(&waiting.team, waiting.place(), waiting.cost),
        }
    }

    fn step_out(&mut self, waiting: &Waiting) {
        match KeyName::of(waiting) {
            Some(name) => self.change_key(&name, |keys| keys.leave(&name, waiting)),
            None => self.lines[waiting.class as usize].remove(&waiting.team, waiting.place()),
        }
    }

    /// Changes what is known of a key, and has the lines follow: in them are its heads and none else of it.
    fn change_key(&mut self, name: &KeyName, change: impl FnOnce(&mut Keys)) {
        let before = self.keys.heads(name);
        change(&mut self.keys);
        let after = self.keys.heads(name);
        for ((line, before), after) in self.lines.iter_mut().zip(before).zip(after) {
            if before == after {
                continue;
            }
            if let Some((place, _)) = before {
                line.remove(&name.team, place);
            }
            if let Some::<Head>((place, cost)) = after {
                line.insert(&name.team, place, cost);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{keyed, team, waiting};
    use super::*;
    use TaskClass::{Batch, Interactive, Normal};
    use types::Timestamp;

    fn backlog(tasks: &[Waiting]) -> Backlog {
        let mut backlog = Backlog::default();
        tasks.iter().cloned().for_each(|task| backlog.add(task));
        backlog
    }

    #[track_caller]
    fn assert_takes(backlog: &mut Backlog, class: TaskClass, expected: &[&Waiting]) {
        let taken: Vec<Waiting> = std::iter::from_fn(|| backlog.take(class)).collect();
        assert_eq!(taken.iter().collect::<Vec<_>>(), expected);
    }

    fn pauses<const N: usize>(scopes: [&str; N]) -> HashSet<Scope> {
        scopes.into_iter().map(|scope| scope.parse().unwrap()).collect()
    }

    #[test]
    fn each_class_is_a_line_of_its_own_in_the_order_of_waiting() {
        let tasks = [waiting("a", Normal, 3), waiting("a", Normal, 1), waiting("a", Batch, 2)];
        let mut backlog = backlog(&tasks);
        assert_eq!(TaskClass::ALL.map(|class| backlog.count(class)), [0, 2, 1]);
        assert_takes(&mut backlog, Interactive, &[]);
        assert_takes(&mut backlog, Normal, &[&tasks[1], &tasks[0]]);
        assert_takes(&mut backlog, Batch, &[&tasks[2]]);
        assert_eq!(TaskClass::ALL.map(|class| backlog.count(class)), [0; 3]);
    }

    #[test]
    fn a_task_is_there_once_and_as_it_was_told_last() {
        let task = waiting("a", Normal, 1);
        let mut backlog = backlog(&[task.clone(), task.clone()]);
        let later = Waiting { class: Batch, queued_at: Timestamp::from_millis(9), ..task };
        backlog.add(later.clone());
        assert_takes(&mut backlog, Normal, &[]);
        assert_takes(&mut backlog, Batch, &[&later]);
    }

    #[test]
    fn what_ended_or_runs_is_not_taken() {
        let tasks = [waiting("a", Normal, 1), waiting("a", Normal, 2), waiting("a", Normal, 3)];
        let mut backlog = backlog(&tasks);
        backlog.ended(tasks[0].task);
        backlog.opened(tasks[2].task);
        assert_takes(&mut backlog, Normal, &[&tasks[1]]);
    }

    #[test]
    fn tasks_of_a_key_are_taken_up_to_its_limit_and_hold_up_nobody_else() {
        let first = keyed(waiting("a", Normal, 1), "k", 1);
        let second = keyed(waiting("a", Normal, 2), "k", 1);
        let plain = waiting("a", Normal, 3);
        let other = keyed(waiting("a", Normal, 4), "l", 1);
        let mut backlog = backlog(&[first.clone(), second.clone(), plain.clone(), other.clone()]);
        assert_takes(&mut backlog, Normal, &[&first, &plain, &other]);
        backlog.opened(first.task);
        assert_takes(&mut backlog, Normal, &[]);
        backlog.ended(first.task);
        assert_takes(&mut backlog, Normal, &[&second]);
    }

    #[test]
    fn a_key_is_shared_by_the_classes() {
        let (urgent, slow) = (keyed(waiting("a", Interactive, 2), "k", 1), keyed(waiting("a", Batch, 1), "k", 1));
        let mut backlog = backlog(&[urgent.clone(), slow.clone()]);
        assert_takes(&mut backlog, Interactive, &[&urgent]);
        assert_takes(&mut backlog, Batch, &[]);
        backlog.give_back(urgent.clone());
        assert_takes(&mut backlog, Batch, &[&slow]);
        assert_takes(&mut backlog, Interactive, &[]);
    }

    #[test]
    fn who_holds_a_key_is_what_runs_and_what_is_fed() {
        let tasks: Vec<Waiting> = (0..4).map(|since| keyed(waiting("a", Normal, since), "k", 2)).collect();
        let mut backlog = backlog(&tasks);
        assert_takes(&mut backlog, Normal, &[&tasks[0], &tasks[1]]);
        let fed = tasks[1].task;
        let name = KeyName::of(&tasks[0]).unwrap();
        backlog.set_running(vec![(TaskId::new(), name.clone())], |task| task == fed);
        assert_takes(&mut backlog, Normal, &[]);
        backlog.set_running(vec![], |task| task == fed);
        assert_takes(&mut backlog, Normal, &[&tasks[2]]);
        backlog.set_running(vec![], |_| false);
        assert_takes(&mut backlog, Normal, &[&tasks[3]]);
    }

    #[test]
    fn what_a_pause_covers_waits_until_it_ends() {
        let ours = waiting("a", Normal, 1);
        let theirs = keyed(waiting("b", Normal, 2), "k", 1);
        let slow = waiting("b", Batch, 3);
        let all = [ours.clone(), theirs.clone(), slow.clone()];
        for (scope, left) in
            [("all", vec![]), ("team:b", vec![&ours]), ("class:normal", vec![&slow]), ("agent:summary", vec![])]
        {
            for paused_first in [true, false] {
                let mut backlog = Backlog::default();
                if paused_first {
                    backlog.set_pauses(pauses([scope]));
                }
                all.iter().cloned().for_each(|task| backlog.add(task));
                backlog.set_pauses(pauses([scope]));
                let mut taken: Vec<Waiting> = Vec::new();
                for class in [Normal, Batch] {
                    taken.extend(std::iter::from_fn(|| backlog.take(class)));
                }
                assert_eq!(taken.iter().collect::<Vec<_>>(), left, "{scope}");
                assert_eq!(backlog.count(Normal) + backlog.count(Batch), 3 - left.len(), "{scope}");
                backlog.set_pauses(HashSet::new());
                for class in [Normal, Batch] {
                    taken.extend(std::iter::from_fn(|| backlog.take(class)));
                }
                assert_eq!(taken.len(), 3, "{scope}");
            }
        }
    }

    #[test]
    fn a_team_is_weighed_by_what_is_said_last() {
        let tasks: Vec<Waiting> =
            (0..40).map(|number| waiting(if number < 20 { "a" } else { "b" }, Normal, number)).collect();
        let mut backlog = backlog(&tasks);
        backlog.set_weights(Weights::from([(team("b"), 3)]));
        let of_b = (0..16).filter_map(|_| backlog.take(Normal)).filter(|task| task.team == team("b")).count();
        assert_eq!(of_b, 12);
    }

    #[test]
    fn a_page_of_the_store_corrects_its_part() {
        let tasks: Vec<Waiting> = (0..6).map(|since| waiting("a", Normal, since)).collect();
        let page = |after: Option<usize>, queued: &[usize], has_more| Page {
            after: after.map(|number| tasks[number].task),
            queued: queued.iter().map(|number| tasks[*number].clone()).collect(),
            has_more,
        };
        let fed = tasks[4].task;
        let mut backlog = backlog(&[tasks[1].clone(), tasks[3].clone(), tasks[5].clone()]);
        assert_eq!(backlog.correct(page(None, &[0, 2], true), |task| task == fed), 2, "1 is stale");
        assert_eq!(backlog.correct(page(Some(2), &[3, 4], true), |task| task == fed), 0, "4 is fed");
        assert_eq!(backlog.correct(page(Some(4), &[], false), |task| task == fed), 0, "5 is stale");
        assert_takes(&mut backlog, Normal, &[&tasks[0], &tasks[2], &tasks[3]]);
    }
}
