//! The queue in Redis keeps the contract.

use std::sync::Arc;

use async_trait::async_trait;

use crate::conformance::{self, Subject, World, every_claim};
use crate::server::{age, connect, start};

#[async_trait]
impl World for testbed::Redis {
    async fn age(&self) {
        age(self).await;
    }
}

async fn subject() -> Subject {
    let redis = start().await;
    Subject { queue: Arc::new(connect(&redis.url()).await), world: Box::new(redis) }
}

macro_rules! keeps {
    ($($claim:ident,)*) => { $(
        #[tokio::test]
        async fn $claim() {
            conformance::$claim(subject().await).await;
        }
    )* };
}

every_claim!(keeps);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_id_reaches_exactly_one_worker_on_many_threads() {
    conformance::every_id_reaches_exactly_one_of_many_workers(subject().await).await;
}
