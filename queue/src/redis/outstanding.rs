//! What the workers of this process have and have not acknowledged. Whatever else the server has delivered to the process
//! was lost on the way.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use types::TaskClass;

use crate::queue::{Delivery, Receipt};

#[derive(Default)]
pub(crate) struct Outstanding(HashMap<(TaskClass, Receipt), Instant>);

impl Outstanding {
    pub(crate) fn add(&mut self, delivery: &Delivery) {
        self.0.insert(key(delivery), Instant::now());
    }

    pub(crate) fn remove(&mut self, delivery: &Delivery) {
        self.0.remove(&key(delivery));
    }

    pub(crate) fn has(&self, delivery: &Delivery) -> bool {
        self.0.contains_key(&key(delivery))
    }

    /// Forgets what a worker kept for longer: it may be handed out again.
    pub(crate) fn forget_older_than(&mut self, timeout: Duration) {
        self.0.retain(|_, since| since.elapsed() < timeout);
    }
}

fn key(delivery: &Delivery) -> (TaskClass, Receipt) {
    (delivery.class(), delivery.receipt)
}
