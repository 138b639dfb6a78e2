//! Talon's queue alone: ids through Redis. The product keeps payloads in its store; with `--payloads` they lie in Redis,
//! so that as many bytes move as with the peers.

use std::sync::Arc;

use clap::Parser;
use queue_peers::{LEASE, Payload, Produce, Role, Runner, Work};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use task_queue::{Classes, Queue, RedisQueue, RedisSettings};
use types::{ProcessId, TaskClass, TaskId, WorkerId};

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    redis: String,
    #[arg(long)]
    payloads: bool,
    #[command(subcommand)]
    role: Role,
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments = Arguments::parse();
    let process = ProcessId::new();
    let settings =
        RedisSettings { visibility_timeout: LEASE, ..RedisSettings::new(arguments.redis.as_str(), process.clone()) };
    let queue = Arc::new(RedisQueue::connect(settings).await?);
    let payloads = if arguments.payloads {
        Some(redis::Client::open(arguments.redis.as_str())?.get_multiplexed_async_connection().await?)
    } else {
        None
    };
    match arguments.role {
        Role::Produce(produce) => add(queue, payloads, &produce).await,
        Role::Work(work) => take(queue, payloads, &process, &work).await,
    }
}

async fn add(queue: Arc<RedisQueue>, payloads: Option<MultiplexedConnection>, produce: &Produce) -> Outcome {
    if produce.rate == 0 {
        for ids in produce.bulks() {
            push(&queue, payloads.clone(), ids.map(Payload::new).collect()).await?;
        }
    } else {
        let mut calls = tokio::task::JoinSet::new();
        let add = |id| {
            let (queue, payloads) = (queue.clone(), payloads.clone());
            calls.spawn(async move { push(&queue, payloads, vec![Payload::new(id)]).await });
        };
        produce.paced(add).await;
        while let Some(call) = calls.join_next().await {
            call??;
        }
    }
    queue.close().await;
    Ok(())
}

async fn push(queue: &RedisQueue, payloads: Option<MultiplexedConnection>, tasks: Vec<Payload>) -> Outcome {
    let ids: Vec<(TaskId, TaskClass)> = tasks.iter().map(|task| (name(task), TaskClass::Normal)).collect();
    if let Some(mut payloads) = payloads {
        let mut pipeline = redis::pipe();
        for (task, (id, _)) in tasks.iter().zip(&ids) {
            pipeline.set(key(*id), serde_json::to_string(task)?).ignore();
        }
        pipeline.query_async::<()>(&mut payloads).await?;
    }
    queue.push(&ids).await?;
    Ok(())
}

async fn take(
    queue: Arc<RedisQueue>,
    payloads: Option<MultiplexedConnection>,
    process: &ProcessId,
    work: &Work,
) -> Outcome {
    let runner = Arc::new(Runner::new(work)?);
    let mut workers = tokio::task::JoinSet::new();
    for slot in 0..u32::try_from(work.concurrency)? {
        let (queue, runner, mut payloads) = (queue.clone(), runner.clone(), payloads.clone());
        let worker = WorkerId { process: process.clone(), slot };
        workers.spawn(async move {
            loop {
                let delivery = queue.take(&worker, Classes::All).await?;
                let id = delivery.task();
                let task = match &mut payloads {
                    Some(payloads) => serde_json::from_str(&payloads.get::<_, String>(key(id)).await?)?,
                    None => bare(id)?,
                };
                runner.run(&task).await;
                if let Some(payloads) = &mut payloads {
                    payloads.unlink::<_, ()>(key(id)).await?;
                }
                queue.acknowledge(delivery).await?;
            }
        });
    }
    match workers.join_next().await {
        Some(ended) => ended?,
        None => Ok(()),
    }
}

/// An id that says which task it is and when it was given: 64 bits each.
fn name(task: &Payload) -> TaskId {
    format!("{:016x}{:016x}", task.id, task.at).parse().expect("32 hexadecimal digits")
}

fn bare(id: TaskId) -> Result<Payload, std::num::ParseIntError> {
    let digits = id.to_string().replace('-', "");
    let (id, at) = digits.split_at(16);
    Ok(Payload { id: u64::from_str_radix(id, 16)?, at: u64::from_str_radix(at, 16)?, text: String::new() })
}

fn key(id: TaskId) -> String {
    format!("payload:{id}")
}
