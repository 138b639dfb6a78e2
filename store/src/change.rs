//! Word of what was committed, for those who wait in this process.

use types::{TaskId, TaskState};

use crate::step::EventKind;

/// A committed change. A hint only: whoever hears it, or missed some, reads the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The task.
    pub task: TaskId,
    /// What happened.
    pub kind: EventKind,
    /// Where it stands now.
    pub state: TaskState,
}
