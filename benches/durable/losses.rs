//! What a killed worker and a wiped Redis cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Registry;
use serde_json::{Value, json};
use store::{EventKind, Store, StoreMetrics, TaskFilter};
use task_queue::{Queue, RedisQueue, RedisSettings};
use types::{ProcessId, TaskId, TaskState, Timestamp};

use crate::client::Server;
use crate::serve::{LEASE, open};
use crate::{Error, Place, Servers};

/// Workers of each of two processes, and how long their tasks take.
const WORKERS: u32 = 10;
const TASK_MS: u64 = 200;

/// Seconds from the kill of a worker process to the start of each execution that replaces one of its own.
pub(crate) async fn kill(servers: &Servers, count: usize) -> Result<Value, Error> {
    let place = servers.place();
    let api = Server::start(&place)?;
    let busy = Place { workers: WORKERS, task_ms: TASK_MS, ..place.clone() };
    let (mut victim, _other) = (Server::start(&busy)?, Server::start(&busy)?);
    let store = open(&place, StoreMetrics::new(&Registry::new())?).await?;
    // The leader spares leases for one lease timeout after it began to lead.
    tokio::time::sleep(LEASE).await;
    api.submit_batches(count).await?;
    let running = loop {
        let running = in_state(&store, TaskState::Running).await?;
        // All of the victim's, too.
        if running.len() == 2 * WORKERS as usize {
            break running;
        }
    };
    let killed = Timestamp::now();
    victim.kill();
    api.ended(count).await?;
    let mut waits = Vec::new();
    for task in running {
        let events = store.events(task, 0, 100).await?;
        let lost = events.iter().position(|event| event.kind == EventKind::WorkerLost);
        let again = lost.and_then(|lost| events[lost..].iter().find(|event| event.kind == EventKind::Started));
        waits.extend(again.map(|event| event.at.since(killed).as_secs_f64()));
    }
    waits.sort_by(f64::total_cmp);
    let lost = count - in_state(&store, TaskState::Succeeded).await?.len().min(count);
    Ok(json!({
        "lease_seconds": LEASE.as_secs(), "interrupted": waits.len(), "median_seconds": waits.get(waits.len() / 2),
        "worst_seconds": waits.last(), "lost": lost,
    }))
}

/// Seconds after `FLUSHALL` with `count` waiting tasks, until every one of them has ended.
pub(crate) async fn flush(servers: &Servers, count: usize) -> Result<Value, Error> {
    let place = servers.place();
    let api = Server::start(&place)?;
    let before = memory(servers).await?;
    api.submit_batches(count).await?;
    let queue = RedisQueue::connect(RedisSettings::new(servers.redis.url(), ProcessId::new())).await?;
    // What the leader keeps in the queue when nobody takes anything.
    let held = settled(&queue).await?;
    let bytes = (memory(servers).await? - before) / count as f64;
    servers.redis.cli(&["FLUSHALL"]).await;
    let wiped = Instant::now();
    while queue.depth().await?.waiting() < held {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refilled = wiped.elapsed().as_secs_f64();
    let _workers = Server::start(&Place { workers: 50, ..place })?;
    api.ended(count).await?;
    Ok(json!({
        "waiting": count, "held_by_redis": held, "refilled_seconds": refilled,
        "all_ended_seconds": wiped.elapsed().as_secs_f64(), "redis_bytes_per_waiting_task": bytes,
    }))
}

async fn settled(queue: &RedisQueue) -> Result<usize, Error> {
    let mut last = (0, Instant::now());
    loop {
        let waiting = queue.depth().await?.waiting();
        if waiting != last.0 {
            last = (waiting, Instant::now());
        } else if 0 < waiting && Duration::from_secs(1) < last.1.elapsed() {
            return Ok(waiting);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn memory(servers: &Servers) -> Result<f64, Error> {
    let info = servers.redis.cli(&["INFO", "memory"]).await;
    let used = info.lines().find_map(|line| line.trim().strip_prefix("used_memory:"));
    Ok(used.ok_or("INFO names no memory")?.parse()?)
}

async fn in_state(store: &Arc<dyn Store>, state: TaskState) -> Result<Vec<TaskId>, Error> {
    let filter = TaskFilter { state: Some(state), ..TaskFilter::default() };
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.tasks(&filter, before, 1000).await?;
        found.extend(page.tasks.iter().map(|task| task.id));
        before = page.next;
        if before.is_none() {
            return Ok(found);
        }
    }
}
