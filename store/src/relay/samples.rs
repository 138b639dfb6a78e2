//! Waiting tasks for the tests of the relay's policy.

use types::{TaskClass, TaskId, TeamName, Timestamp};

use crate::store::Waiting;
use crate::task::Concurrency;

pub(crate) fn team(name: &str) -> TeamName {
    name.parse().unwrap()
}

/// A task of a team that has waited since a millisecond.
pub(crate) fn waiting(name: &str, class: TaskClass, since: i64) -> Waiting {
    Waiting {
        task: TaskId::new(),
        class,
        team: team(name),
        agent: "summary".parse().unwrap(),
        cost: 1,
        queued_at: Timestamp::from_millis(since),
        concurrency: None,
    }
}

pub(crate) fn keyed(waiting: Waiting, key: &str, limit: u32) -> Waiting {
    Waiting { concurrency: Some(Concurrency { key: key.to_owned(), limit }), ..waiting }
}
