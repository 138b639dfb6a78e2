//! What time it is for the store: the wall clock of this machine or of the database's, or one that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use types::Timestamp;

/// The time by which leases expire and delays end.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The wall clock.
    #[default]
    System,
    /// Goes by another machine's wall clock, which is ahead of this one's by so many milliseconds.
    Offset(Arc<AtomicI64>),
    /// Stands still until it is moved; clones move together.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Clock::Manual(Arc::new(AtomicI64::new(start.as_millis())))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => Timestamp::now(),
            Clock::Offset(ahead) => {
                Timestamp::from_millis(Timestamp::now().as_millis().saturating_add(ahead.load(Ordering::SeqCst)))
            }
            Clock::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; wall clocks move by themselves.
    pub fn advance(&self, by: Duration) {
        if let Clock::Manual(millis) = self {
            millis.store(self.now().after(by).as_millis(), Ordering::SeqCst);
        }
    }
}
