//! Which tasks with a concurrency key may be fed: the first of each class, while fewer hold the key than may. Pure.
//!
//! Who holds a key is derived from what is fed and what runs, never counted up and down.

use std::collections::{BTreeMap, HashMap, HashSet};

use types::{TaskId, TeamName};

use super::fair::Place;
use crate::store::Waiting;

/// A key and the team that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyName {
    pub(crate) team: TeamName,
    pub(crate) key: String,
}

impl KeyName {
    /// What the task waits for.
    pub(crate) fn of(waiting: &Waiting) -> Option<Self> {
        let key = waiting.concurrency.as_ref()?.key.clone();
        Some(KeyName { team: waiting.team.clone(), key })
    }
}

/// The first that waits, and what it costs.
pub(crate) type Head = (Place, u32);

/// Every key that a task waits for or holds.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    keys: HashMap<KeyName, Key>,
    /// What each holder holds.
    held: HashMap<TaskId, KeyName>,
}

#[derive(Debug, Default)]
struct Key {
    /// Fed or running.
    holders: HashSet<TaskId>,
    waiting: [BTreeMap<Place, Wish>; 3],
}

#[derive(Debug)]
struct Wish {
    /// Each task is held to its own.
    limit: u32,
    cost: u32,
}

impl Keys {
    /// The task waits for the key.
    pub(crate) fn wait(&mut self, name: &KeyName, waiting: &Waiting) {
        let limit = waiting.concurrency.as_ref().map_or(u32::MAX, |concurrency| concurrency.limit);
        let key = self.keys.entry(name.clone()).or_default();
        key.waiting[waiting.class as usize].insert(waiting.place(), Wish { limit, cost: waiting.cost });
    }

    /// It does not wait any more.
    pub(crate) fn leave(&mut self, name: &KeyName, waiting: &Waiting) {
        if let Some(key) = self.keys.get_mut(name) {
            key.waiting[waiting.class as usize].remove(&waiting.place());
            self.forget_unused(name);
        }
    }

    /// The task is fed or runs.
    pub(crate) fn hold(&mut self, name: &KeyName, task: TaskId) {
        self.keys.entry(name.clone()).or_default().holders.insert(task);
        self.held.insert(task, name.clone());
    }

    /// The task neither is fed nor runs.
    pub(crate) fn release(&mut self, task: TaskId) {
        let Some(name) = self.held.remove(&task) else { return };
        if let Some(key) = self.keys.get_mut(&name) {
            key.holders.remove(&task);
            self.forget_unused(&name);
        }
    }

    /// What the task holds.
    pub(crate) fn held_by(&self, task: TaskId) -> Option<&KeyName> {
        self.held.get(&task)
    }

    /// Those that may be fed now, by class.
    pub(crate) fn heads(&self, name: &KeyName) -> [Option<Head>; 3] {
        let Some(key) = self.keys.get(name) else { return [None; 3] };
        key.waiting.each_ref().map(|waiting| {
            let (place, wish) = waiting.first_key_value()?;
            (key.holders.len() < wish.limit as usize).then_some((*place, wish.cost))
        })
    }

    /// Holders that are not among these.
    pub(crate) fn holders_except(&self, known: impl Fn(TaskId) -> bool) -> Vec<TaskId> {
        self.held.keys().copied().filter(|task| !known(*task)).collect()
    }

    fn forget_unused(&mut self, name: &KeyName) {
        let unused = |key: &Key| key.holders.is_empty() && key.waiting.iter().all(BTreeMap::is_empty);
        if self.keys.get(name).is_some_and(unused) {
            self.keys.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{keyed, waiting};
    use super::*;
    use types::TaskClass::{Batch, Interactive};

    fn places(heads: [Option<Head>; 3]) -> [Option<Place>; 3] {
        heads.map(|head| head.map(|(place, _)| place))
    }

    #[test]
    fn the_first_of_each_class_may_be_fed_until_the_limit_is_reached() {
        let mut keys = Keys::default();
        let late = keyed(waiting("a", Batch, 9), "k", 2);
        let early = keyed(waiting("a", Batch, 1), "k", 2);
        let urgent = keyed(waiting("a", Interactive, 5), "k", 2);
        let name = KeyName::of(&late).unwrap();
        for task in [&late, &early, &urgent] {
            keys.wait(&name, task);
        }
        assert_eq!(places(keys.heads(&name)), [Some(urgent.place()), None, Some(early.place())]);
        for task in [&urgent, &early] {
            keys.leave(&name, task);
            keys.hold(&name, task.task);
        }
        assert_eq!(keys.heads(&name), [None; 3], "two hold it");
        keys.release(urgent.task);
        assert_eq!(places(keys.heads(&name)), [None, None, Some(late.place())]);
        keys.release(urgent.task);
        assert_eq!((keys.held_by(urgent.task), keys.held_by(early.task)), (None, Some(&name)));
    }

    #[test]
    fn each_task_is_held_to_its_own_limit() {
        let mut keys = Keys::default();
        let strict = keyed(waiting("a", Interactive, 1), "k", 1);
        let lax = keyed(waiting("a", Batch, 1), "k", 2);
        let name = KeyName::of(&lax).unwrap();
        keys.hold(&name, TaskId::new());
        keys.wait(&name, &strict);
        keys.wait(&name, &lax);
        assert_eq!(places(keys.heads(&name)), [None, None, Some(lax.place())]);
    }

    #[test]
    fn each_team_has_keys_of_its_own() {
        let mut keys = Keys::default();
        let (ours, theirs) = (keyed(waiting("a", Batch, 1), "k", 1), keyed(waiting("b", Batch, 1), "k", 1));
        let [our_name, their_name] = [&ours, &theirs].map(|task| KeyName::of(task).unwrap());
        keys.hold(&their_name, theirs.task);
        keys.wait(&our_name, &ours);
        assert_eq!(places(keys.heads(&our_name)), [None, None, Some(ours.place())]);
    }

    #[test]
    fn nothing_is_kept_of_a_key_that_nobody_uses() {
        let mut keys = Keys::default();
        let task = keyed(waiting("a", Batch, 1), "k", 1);
        let name = KeyName::of(&task).unwrap();
        keys.wait(&name, &task);
        keys.leave(&name, &task);
        keys.hold(&name, task.task);
        keys.release(task.task);
        assert!(keys.keys.is_empty() && keys.held.is_empty());
    }
}
