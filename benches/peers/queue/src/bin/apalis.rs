//! apalis with its Redis backend.

use std::sync::Arc;

use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};
use clap::Parser;
use queue_peers::{LEASE, Payload, Peer, Produce, Role, Runner, Work};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let peer = Peer::parse();
    let connection = apalis_redis::connect(peer.redis.as_str()).await?;
    // Events are left out: nobody here reads them. Without results, what is done would stay in flight.
    let missed = 5;
    let config = Config::default()
        .queue("bench")
        .emit_events(false)
        .heartbeat_interval(LEASE / missed)
        .missed_heartbeats(missed as usize);
    match peer.role {
        Role::Produce(produce) => add(RedisStorage::new(connection).with_config(config), &produce).await,
        Role::Work(work) => {
            let config = config.batch_size(work.concurrency.max(10));
            take(RedisStorage::new(connection).with_config(config), &work).await
        }
    }
}

async fn add(mut storage: RedisStorage<Payload>, produce: &Produce) -> Outcome {
    if produce.rate == 0 {
        for ids in produce.bulks() {
            storage.push_bulk(ids.map(Payload::new).collect()).await.map_err(|error| error.to_string())?;
        }
        return Ok(());
    }
    let mut calls = tokio::task::JoinSet::new();
    let add = |id| {
        let mut storage = storage.clone();
        calls.spawn(async move { storage.push(Payload::new(id)).await.map_err(|error| error.to_string()) });
    };
    produce.paced(add).await;
    while let Some(call) = calls.join_next().await {
        call??;
    }
    Ok(())
}

async fn take(storage: RedisStorage<Payload>, work: &Work) -> Outcome {
    let runner = Arc::new(Runner::new(work)?);
    let run = move |payload: Payload| {
        let runner = runner.clone();
        async move {
            runner.run(&payload).await;
            Ok::<_, BoxDynError>(())
        }
    };
    // A name of its own for each process: two of one name would share what is in flight.
    WorkerBuilder::new(format!("bench-{}", std::process::id()))
        .backend(storage)
        .concurrency(work.concurrency)
        .parallelize(tokio::spawn)
        .build(run)
        .run()
        .await?;
    Ok(())
}
