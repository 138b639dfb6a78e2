//! Where tasks are and how they wait: the store and the queue that the configuration names.

use std::sync::Arc;

use store::{SqliteSettings, SqliteStore, Store, StoreMetrics};
use task_queue::{MemoryQueue, MemoryQueueSettings, Queue};

use super::site::Site;
use crate::failure::{Failure, with_causes};
use crate::metrics::declared_twice;

/// The store and the queue.
#[derive(Clone)]
pub(super) struct Tasks {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) metrics: StoreMetrics,
}

impl Tasks {
    pub(super) async fn open(site: &Site) -> Result<Tasks, Failure> {
        let metrics = StoreMetrics::new(site.metrics.process()).map_err(declared_twice)?;
        let store = open_sqlite(site, metrics.clone()).await?;
        let queue = Arc::new(MemoryQueue::new(MemoryQueueSettings::default()));
        Ok(Tasks { store, queue, metrics })
    }
}

async fn open_sqlite(site: &Site, metrics: StoreMetrics) -> Result<Arc<dyn Store>, Failure> {
    let settings = SqliteSettings {
        max_queued: site.config.queue.max_queued,
        metrics: Some(metrics),
        ..SqliteSettings::new(site.config.store_path())
    };
    let store = SqliteStore::open(settings).await.map_err(|error| Failure::unavailable(with_causes(&error)))?;
    Ok(Arc::new(store))
}
