//! Tasks from the submit to the end over real HTTP and a durable store: PostgreSQL (commits wait for the disk) with
//! Redis, and SQLite (`synchronous=FULL`) with a queue in memory.
//!
//!     make bench-queue                      # everything, about two minutes
//!     make bench-queue SCALE=0.05           # a trial
//!
//! The server is a process of its own with core-api's routes, the relay, and as many no-op workers as the work asks for;
//! PostgreSQL and Redis are real and share the machine with all of it.
//!
//! - `batch`: submits by `POST /v1/tasks:batch`, 1,000 lines a call, four calls at a time, nothing executed.
//! - `single`: submits by `POST /v1/tasks`, 64 calls at a time, nothing executed.
//! - `end_to_end`: batches while 50 workers open and end what is there; from the first submit to the last end.
//! - `kill`: one of two worker processes is killed; from then to the start of each execution that replaces one it had.
//! - `flush`: `FLUSHALL` with 10,000 waiting; until the queue holds again what it held, and until all have ended.
//!
//! A table for people, then one JSON line.

mod client;
mod losses;
mod serve;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde_json::{Map, Value, json};
use testbed::{Postgres, PostgresOptions, Redis, RedisOptions};

use client::Server;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

const PAYLOAD: usize = 450;

#[derive(Parser)]
struct Options {
    /// Share of the tasks; small for a trial.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// The server as a process of its own; the parent starts it.
    Serve(Place),
}

/// Where a server works, and what it runs.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Place {
    #[arg(long)]
    postgres: Option<String>,
    #[arg(long)]
    redis: Option<String>,
    #[arg(long)]
    sqlite: Option<PathBuf>,
    #[arg(long, default_value_t = 0)]
    workers: u32,
    /// What a task waits for, in milliseconds.
    #[arg(long, default_value_t = 0)]
    task_ms: u64,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options::parse();
    if let Some(Role::Serve(place)) = options.role {
        return serve::run(place).await;
    }
    let scaled = |count: f64| ((count * options.scale) as usize).max(100);
    let mut report = Map::new();

    let folder = tempfile::tempdir()?;
    for store in ["postgres", "sqlite"] {
        let servers = Servers::start().await;
        let place = |name: &str, workers| match store {
            "postgres" => Place { workers, ..servers.place() },
            _ => Place { sqlite: Some(folder.path().join(name)), workers, ..Place::default() },
        };
        let idle = Server::start(&place("idle.db", 0))?;
        let batch = idle.submit_batches(scaled(30_000.0)).await?;
        let single = idle.submit_singly(scaled(10_000.0)).await?;
        drop(idle);
        // A database of its own: what was submitted above waits.
        let servers = Servers::start().await;
        let busy = match store {
            "postgres" => Server::start(&Place { workers: 50, ..servers.place() })?,
            _ => Server::start(&place("busy.db", 50))?,
        };
        let end_to_end = busy.end_to_end(scaled(20_000.0)).await?;
        println!("{store:9} batch {batch:6.0}/s   single {single:6.0}/s   end to end {end_to_end:6.0}/s");
        report.insert(store.to_owned(), json!({"batch": batch, "single": single, "end_to_end": end_to_end}));
    }
    let kill = losses::kill(&Servers::start().await, scaled(400.0)).await?;
    println!("kill      {kill}");
    report.insert("kill".to_owned(), kill);
    let flush = losses::flush(&Servers::start().await, scaled(10_000.0)).await?;
    println!("flush     {flush}");
    report.insert("flush".to_owned(), flush);
    println!("{}", Value::Object(report));
    Ok(())
}

/// PostgreSQL with its default durability and Redis with a file synced each second.
pub(crate) struct Servers {
    _postgres: Postgres,
    pub(crate) redis: Redis,
    database: String,
}

impl Servers {
    async fn start() -> Self {
        let settings = ["fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=256MB"];
        let postgres = Postgres::start(PostgresOptions {
            // Not in memory, where temporary files may be.
            folder: Some(PathBuf::from("/var/tmp")),
            settings: settings.map(str::to_owned).to_vec(),
        })
        .await;
        let redis = Redis::start(RedisOptions { appendonly: true, ..RedisOptions::default() }).await;
        let database = postgres.database().await;
        Servers { _postgres: postgres, redis, database }
    }

    pub(crate) fn place(&self) -> Place {
        Place { postgres: Some(self.database.clone()), redis: Some(self.redis.url()), ..Place::default() }
    }
}
