//! How many workers there are and how many of them work: for the beat by which other processes know this one.

use std::sync::atomic::{AtomicU32, Ordering};

/// Workers of this process, as they were a moment ago.
#[derive(Debug, Default)]
pub struct Occupancy {
    slots: AtomicU32,
    busy: AtomicU32,
}

impl Occupancy {
    /// Workers.
    pub fn slots(&self) -> u32 {
        self.slots.load(Ordering::Relaxed)
    }

    /// Those that work, or that end after what they have.
    pub fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, slots: usize, busy: usize) {
        let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        self.slots.store(count(slots), Ordering::Relaxed);
        self.busy.store(count(busy), Ordering::Relaxed);
    }
}
