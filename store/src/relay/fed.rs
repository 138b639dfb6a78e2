//! Follows the ids that were handed to the queue until a worker has opened them. Pure.
//!
//! The queue may lose any of them. They are compared with it slice by slice, the one that was not compared for longest
//! first; what is missing is the store's to judge.

use std::collections::{BTreeMap, HashMap};

use types::{TaskClass, TaskId};

/// The ids that the queue should hold.
#[derive(Debug, Default)]
pub(crate) struct Fed {
    tasks: HashMap<TaskId, Entry>,
    /// In the order in which they are compared.
    turns: BTreeMap<u64, TaskId>,
    last_turn: u64,
    counts: [usize; 3],
}

#[derive(Debug)]
struct Entry {
    class: TaskClass,
    turn: u64,
}

impl Fed {
    /// The id was handed over.
    pub(crate) fn add(&mut self, task: TaskId, class: TaskClass) {
        self.forget(task);
        self.last_turn += 1;
        self.tasks.insert(task, Entry { class, turn: self.last_turn });
        self.turns.insert(self.last_turn, task);
        self.counts[class as usize] += 1;
    }

    /// The id is not followed any more; says its class if it was.
    pub(crate) fn forget(&mut self, task: TaskId) -> Option<TaskClass> {
        let Entry { class, turn } = self.tasks.remove(&task)?;
        self.turns.remove(&turn);
        self.counts[class as usize] -= 1;
        Some(class)
    }

    /// The next ids to compare, at most `limit`; their next turn comes after all others'.
    pub(crate) fn next_slice(&mut self, limit: usize) -> Vec<TaskId> {
        let mut slice = Vec::with_capacity(limit.min(self.turns.len()));
        while slice.len() < slice.capacity().min(limit) {
            let Some((_, task)) = self.turns.pop_first() else { break };
            slice.push(task);
        }
        for &task in &slice {
            self.last_turn += 1;
            self.turns.insert(self.last_turn, task);
            if let Some(entry) = self.tasks.get_mut(&task) {
                entry.turn = self.last_turn;
            }
        }
        slice
    }

    pub(crate) fn contains(&self, task: TaskId) -> bool {
        self.tasks.contains_key(&task)
    }

    /// How many of a class.
    pub(crate) fn count(&self, class: TaskClass) -> usize {
        self.counts[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskClass::{Interactive, Normal};

    fn fed(count: usize) -> (Fed, Vec<TaskId>) {
        let tasks: Vec<TaskId> = (0..count).map(|_| TaskId::new()).collect();
        let mut fed = Fed::default();
        tasks.iter().for_each(|&task| fed.add(task, Normal));
        (fed, tasks)
    }

    #[test]
    fn every_id_gets_its_turn_before_any_gets_its_second() {
        let (mut fed, tasks) = fed(5);
        assert_eq!(fed.next_slice(2), tasks[0..2]);
        assert_eq!(fed.next_slice(2), tasks[2..4]);
        assert_eq!(fed.next_slice(3), [tasks[4], tasks[0], tasks[1]]);
        assert_eq!(fed.next_slice(100).len(), 5, "none comes twice in a slice");
    }

    #[test]
    fn what_is_forgotten_has_no_turn() {
        let (mut fed, tasks) = fed(3);
        assert_eq!(fed.forget(tasks[1]), Some(Normal));
        assert_eq!(fed.forget(tasks[1]), None);
        assert_eq!(fed.next_slice(10), [tasks[0], tasks[2]]);
        assert_eq!(fed.count(Normal), 2);
    }

    #[test]
    fn an_id_is_followed_once_and_in_its_latest_class() {
        let (mut fed, tasks) = fed(1);
        fed.add(tasks[0], Interactive);
        assert_eq!((fed.count(Normal), fed.count(Interactive)), (0, 1));
        assert_eq!(fed.next_slice(10), tasks);
    }
}
