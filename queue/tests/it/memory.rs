//! The queue in memory keeps the contract. Time stands still in these tests and is moved by the runtime.

use std::sync::Arc;

use async_trait::async_trait;
use task_queue::{MemoryQueue, MemoryQueueSettings};

use crate::conformance::{self, Subject, World, every_claim};

struct StillTime;

#[async_trait]
impl World for StillTime {
    async fn age(&self) {
        tokio::time::advance(MemoryQueueSettings::default().visibility_timeout).await;
    }
}

fn subject() -> Subject {
    Subject { queue: Arc::new(MemoryQueue::new(MemoryQueueSettings::default())), world: Box::new(StillTime) }
}

macro_rules! keeps {
    ($($claim:ident,)*) => { $(
        #[tokio::test(start_paused = true)]
        async fn $claim() {
            conformance::$claim(subject()).await;
        }
    )* };
}

every_claim!(keeps);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_id_reaches_exactly_one_worker_on_many_threads() {
    conformance::every_id_reaches_exactly_one_of_many_workers(subject()).await;
}
