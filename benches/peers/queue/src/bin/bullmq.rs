//! BullMQ's official port to Rust.

use std::sync::Arc;

use bullmq::options::RedisConnectionOptions;
use bullmq::types::RemoveOnFinish;
use bullmq::{BulkJob, Job, Queue, QueueOptions, Worker, WorkerOptions};
use clap::Parser;
use queue_peers::{LEASE, Payload, Peer, Produce, Role, Runner, Work};

const NAME: &str = "bench";
type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let peer = Peer::parse();
    let connection = RedisConnectionOptions::new().url(&peer.redis);
    match peer.role {
        Role::Produce(produce) => add(connection, &produce).await,
        Role::Work(work) => take(connection, &work).await,
    }
}

async fn add(connection: RedisConnectionOptions, produce: &Produce) -> Outcome {
    let queue = Arc::new(Queue::with_options(NAME, QueueOptions::new().connection(connection)).await?);
    if produce.rate == 0 {
        for ids in produce.bulks() {
            queue.add_bulk(ids.map(|id| BulkJob::new("task", Payload::new(id))).collect()).await?;
        }
        return Ok(());
    }
    let mut calls = tokio::task::JoinSet::new();
    let add = |id| {
        let queue = queue.clone();
        calls.spawn(async move { queue.add("task", Payload::new(id)).await.map(drop) });
    };
    produce.paced(add).await;
    while let Some(call) = calls.join_next().await {
        call??;
    }
    Ok(())
}

async fn take(connection: RedisConnectionOptions, work: &Work) -> Outcome {
    let runner = Arc::new(Runner::new(work)?);
    let lease = u64::try_from(LEASE.as_millis())?;
    let options = WorkerOptions {
        connection,
        concurrency: work.concurrency,
        lock_duration: lease,
        stalled_interval: lease / 2,
        max_stalled_count: 100,
        remove_on_complete: Some(RemoveOnFinish::Bool(true)),
        ..WorkerOptions::default()
    };
    let process = move |job: Job, _token| {
        let runner = runner.clone();
        async move {
            let payload: Payload = serde_json::from_value(job.data().clone())?;
            runner.run(&payload).await;
            Ok(serde_json::Value::Null)
        }
    };
    let _worker = Worker::with_options(NAME, process, options).await?;
    std::future::pending().await
}
