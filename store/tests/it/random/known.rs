//! What a life knows of a task without asking the store.

use store::{Concurrency, Fence};
use types::{TaskClass, TaskState, Timestamp};

/// What the test knows without asking the store.
pub struct Known {
    pub class: TaskClass,
    pub concurrency: Option<Concurrency>,
    /// The attempt that may write, and until when it surely may.
    pub current: Option<(Fence, Timestamp)>,
    pub attempts: u32,
    pub ended: Option<TaskState>,
    pub requeued: usize,
    /// Pruned or purged.
    pub is_gone: bool,
}

impl Known {
    /// The task is seen to have ended, perhaps for the first time.
    pub fn observe(&mut self, state: TaskState) {
        assert!(self.ended.is_none_or(|ended| ended == state), "ended as {:?} and as {state}", self.ended);
        self.ended = Some(state);
        self.current = None;
    }

    pub fn observe_ended(&mut self, state: TaskState) {
        self.observe(state);
    }

    #[track_caller]
    pub fn assert_may_write(&self, fence: Fence) {
        assert_eq!(self.ended, None, "a write after the end");
        assert_eq!(self.current.map(|(current, _)| current), Some(fence), "a stale attempt wrote");
    }

    /// A lease is lost only to an end, to time or to a restart.
    #[track_caller]
    pub fn assert_may_have_lost(&self, fence: Fence, now: Timestamp) {
        if let Some((current, until)) = self.current {
            assert!(current != fence || until <= now, "a lease was lost before its time");
        }
    }
}
