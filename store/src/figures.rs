//! The store in numbers.

use std::time::Duration;

use types::{TaskClass, TaskState};

/// How many tasks stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// By state, in the order of [`TaskState::ALL`], and class, in the order of [`TaskClass::ALL`].
    pub tasks: [[u64; 3]; 8],
    /// How long the oldest queued task of each class has been ready for a worker.
    pub oldest_queued: [Option<Duration>; 3],
}

impl Figures {
    /// Tasks in a state.
    pub fn in_state(&self, state: TaskState) -> u64 {
        self.tasks[state as usize].iter().sum()
    }

    /// Tasks of a class that wait for a worker now.
    pub fn queued(&self, class: TaskClass) -> u64 {
        self.tasks[TaskState::Queued as usize][class as usize]
    }

    /// Tasks that wait for a worker or for their time; what `max_queued` limits.
    pub fn waiting(&self) -> u64 {
        self.in_state(TaskState::Queued) + self.in_state(TaskState::Scheduled)
    }
}

/// The law `accepted = terminal + held + pruned`, counted from independent sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conservation {
    /// Promises made: counted in the audit log.
    pub accepted: u64,
    /// Rows in a terminal state.
    pub terminal: u64,
    /// Rows in any other.
    pub held: u64,
    /// Tasks forgotten by retention or purged by an operator: counted in the audit log.
    pub pruned: u64,
    /// What [`Figures`] say is there, which is kept up to date change by change.
    pub figured: u64,
}

impl Conservation {
    /// Whether every promise is accounted for.
    pub fn holds(&self) -> bool {
        let there = self.terminal + self.held;
        self.accepted == there + self.pruned && there == self.figured
    }
}
