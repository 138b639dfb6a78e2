//! Where tasks are and how they wait: the store and the queue that the configuration names.

use std::sync::Arc;
use std::time::Duration;

use config::SecretUrl;
use store::{PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store, StoreError, StoreMetrics};
use task_queue::{
    DeadLetterStream, Intake, MemoryQueue, MemoryQueueSettings, Queue, RedisMetrics, RedisQueue, RedisSettings,
};

use super::site::Site;
use crate::failure::{Failure, with_causes};
use crate::metrics::declared_twice;

/// The store and the queue.
pub(super) struct Tasks {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) metrics: StoreMetrics,
    /// What Redis has beside the queue; taken by who looks after it.
    pub(super) streams: Option<(Intake, DeadLetterStream)>,
}

impl Tasks {
    pub(super) async fn open(site: &Site) -> Result<Tasks, Failure> {
        let metrics = StoreMetrics::new(site.metrics.process()).map_err(declared_twice)?;
        let store = match &site.config.store.url {
            Some(url) => open_postgres(site, url, metrics.clone()).await,
            None => open_sqlite(site, metrics.clone()).await,
        };
        let store = store.map_err(|error| Failure::unavailable(with_causes(&error)))?;
        let Some(url) = &site.config.queue.url else {
            let queue = Arc::new(MemoryQueue::new(MemoryQueueSettings { visibility_timeout: visible_after(site) }));
            return Ok(Tasks { store, queue, metrics, streams: None });
        };
        let queue = open_redis(site, url).await?;
        let streams = Some((queue.intake(), queue.dead_letters()));
        Ok(Tasks { store, queue: Arc::new(queue), metrics, streams })
    }
}

/// When an id whose taker was lost is handed out again: before its task's lease could expire.
fn visible_after(site: &Site) -> Duration {
    Duration::from_secs(30).min(site.config.lease.timeout / 2)
}

async fn open_sqlite(site: &Site, metrics: StoreMetrics) -> Result<Arc<dyn Store>, StoreError> {
    let settings = SqliteSettings {
        max_queued: site.config.queue.max_queued,
        metrics: Some(metrics),
        ..SqliteSettings::new(site.config.store_path())
    };
    Ok(Arc::new(SqliteStore::open(settings).await?))
}

async fn open_postgres(site: &Site, url: &SecretUrl, metrics: StoreMetrics) -> Result<Arc<dyn Store>, StoreError> {
    let _awaiting = site.patience.awaits(url);
    let settings = PostgresSettings {
        max_queued: site.config.queue.max_queued,
        connect_timeout: site.patience.limit(),
        metrics: Some(metrics),
        ..PostgresSettings::new(url.exposed())
    };
    Ok(Arc::new(PostgresStore::open(settings).await?))
}

async fn open_redis(site: &Site, url: &SecretUrl) -> Result<RedisQueue, Failure> {
    let _awaiting = site.patience.awaits(url);
    let authority = site.config.queue.authority.as_ref().map(|path| {
        std::fs::read(path)
            .map_err(|error| Failure::usage(format!("queue.authority {} cannot be read: {error}", path.display())))
    });
    let settings = RedisSettings {
        authority: authority.transpose()?,
        visibility_timeout: visible_after(site),
        patience: site.patience.limit(),
        metrics: Some(RedisMetrics::new(site.metrics.process()).map_err(declared_twice)?),
        ..RedisSettings::new(url.exposed(), site.process.clone())
    };
    RedisQueue::connect(settings).await.map_err(|error| Failure::unavailable(with_causes(&error)))
}
