//! The server: routes, relay, leases and no-op workers, as `talon serve` puts them together, without models.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use core_api::{AgentView, ApiRuntime, ApiSettings, ApiState, Authentication, Readiness};
use prometheus::Registry;
use serde_json::Value;
use store::{
    Leases, Opening, PostgresSettings, PostgresStore, Relay, RelaySettings, SqliteSettings, SqliteStore, Store,
    StoreMetrics,
};
use task_queue::{Classes, MemoryQueue, MemoryQueueSettings, Queue, RedisQueue, RedisSettings};
use tokio::sync::watch;
use types::{ProcessId, WorkerId};

use crate::{Error, Place};

/// Of leases: short, so that the bench is.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
/// More than any work here lets wait.
const MAX_QUEUED: u64 = 10_000_000;

/// Serves until killed; says where on standard output.
pub(crate) async fn run(place: Place) -> Result<(), Error> {
    let registry = Registry::new();
    let metrics = StoreMetrics::new(&registry)?;
    let process = ProcessId::new();
    let store = open(&place, metrics.clone()).await?;
    let queue: Arc<dyn Queue> = match &place.redis {
        Some(url) => {
            let settings = RedisSettings::new(url.as_str(), process.clone());
            Arc::new(RedisQueue::connect(RedisSettings { visibility_timeout: LEASE / 2, ..settings }).await?)
        }
        None => Arc::new(MemoryQueue::new(MemoryQueueSettings::default())),
    };
    let leases = Leases::new(store.clone(), LEASE);
    let settings = RelaySettings { lease_timeout: LEASE, ..RelaySettings::default() };
    tokio::spawn(Relay::new(store.clone(), queue.clone(), settings).run(std::future::pending()));
    tokio::spawn(leases.clone().run(std::future::pending()));
    for slot in 0..place.workers {
        let worker = WorkerId { process: process.clone(), slot };
        tokio::spawn(work(queue.clone(), leases.clone(), worker, Duration::from_millis(place.task_ms)));
    }
    let (_readiness, ready) = watch::channel(Readiness::Ready);
    let agent = "noop".parse()?;
    let state = ApiState {
        store,
        agents: Arc::new([(agent, view()?)].into()),
        metrics: {
            let registry = registry.clone();
            Arc::new(move || registry.gather())
        },
        store_metrics: metrics,
        readiness: ready,
        health: Arc::new(|| Ok(())),
        queue: Arc::new(|| Ok(())),
        settings: Arc::new(ApiSettings {
            authentication: Authentication::Open { team: "default".parse()?, loopback_only: true },
            max_document_bytes: 1 << 20,
            max_wait: Duration::from_secs(60),
            webhooks: config::WebhookConfig::default(),
        }),
        runtime: ApiRuntime::register(&registry)?,
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    axum::serve(listener, core_api::router(state)).await?;
    Ok(())
}

/// The store, as a process of the installation opens it.
pub(crate) async fn open(place: &Place, metrics: StoreMetrics) -> Result<Arc<dyn Store>, Error> {
    let metrics = Some(metrics);
    Ok(match (&place.postgres, &place.sqlite) {
        (Some(url), _) => {
            let settings = PostgresSettings { max_queued: MAX_QUEUED, metrics, ..PostgresSettings::new(url.as_str()) };
            Arc::new(PostgresStore::open(settings).await?)
        }
        (None, Some(file)) => {
            let settings = SqliteSettings { max_queued: MAX_QUEUED, metrics, ..SqliteSettings::new(file) };
            Arc::new(SqliteStore::open(settings).await?)
        }
        (None, None) => return Err("neither --postgres nor --sqlite".into()),
    })
}

/// Takes, opens, acknowledges, waits, ends.
async fn work(queue: Arc<dyn Queue>, leases: Leases, worker: WorkerId, task: Duration) {
    while let Ok(delivery) = queue.take(&worker, Classes::All).await {
        let opening = leases.open(delivery.task(), &worker).await;
        if queue.acknowledge(delivery).await.is_err() {
            return;
        }
        if let Ok(Opening::Opened(lease)) = opening {
            if !task.is_zero() {
                tokio::time::sleep(task).await;
            }
            if let Err(error) = lease.complete(Value::Null).await {
                eprintln!("not ended: {error}");
            }
        }
    }
}

fn view() -> Result<AgentView, Error> {
    Ok(AgentView {
        name: "noop".parse()?,
        description: "Does nothing".to_owned(),
        owner: "bench".to_owned(),
        team: "default".parse()?,
        model: "none".to_owned(),
        context_tokens: 1 << 20,
        timeout_seconds: 600.0,
        tools: Vec::new(),
        output_schema: None,
        revision: "1".to_owned(),
    })
}
