//! How fast ids go through a queue: push, take, work, acknowledge.
//!
//! `cargo run --release -p task-queue --example throughput -- --url redis://127.0.0.1 --concurrency 50 --json`
//!
//! By itself it fills the queue and measures its memory, empties it at full speed, then pushes at a steady rate and
//! measures the time from push to worker. `--role producer` only fills; `--role consumer` only works, until nothing has come for
//! two seconds, and prints each id when it is done: for several processes on one server.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use task_queue::{Classes, MemoryQueue, MemoryQueueSettings, Queue, RedisQueue, RedisSettings};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use types::{ProcessId, TaskClass, TaskId, WorkerId};

#[derive(Parser)]
struct Options {
    /// Where Redis is; without it the queue in memory is measured. Use a server of its own: what it holds is consumed.
    #[arg(long)]
    url: Option<String>,
    /// Workers of this process.
    #[arg(long, default_value_t = 50)]
    concurrency: u32,
    #[arg(long, default_value_t = 10_000)]
    tasks: usize,
    /// How long the work on a task takes.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// Ids per second while their way to a worker is measured. Without it half of what pushing and taking in turn allow.
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, value_enum, default_value_t = Role::Both)]
    role: Role,
    /// One line of JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Role {
    Both,
    Producer,
    Consumer,
}

/// What the workers share.
#[derive(Clone)]
struct Pool {
    queue: Arc<dyn Queue>,
    work: Duration,
    done: Arc<AtomicUsize>,
    /// When ids were pushed whose way is measured, and how long those took that arrived.
    pushed: Arc<Mutex<HashMap<TaskId, Instant>>>,
    ways: Arc<Mutex<Vec<Duration>>>,
    prints: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let queue: Arc<dyn Queue> = match &options.url {
        Some(url) => Arc::new(RedisQueue::connect(RedisSettings::new(url, ProcessId::new())).await.unwrap()),
        None => Arc::new(MemoryQueue::new(MemoryQueueSettings::default())),
    };
    let pool = Pool {
        queue,
        work: Duration::from_millis(options.work_ms),
        done: Arc::default(),
        pushed: Arc::default(),
        ways: Arc::default(),
        prints: options.role == Role::Consumer,
    };
    match options.role {
        Role::Producer => {
            let rate = fill(&pool.queue, options.tasks).await;
            println!("{}", serde_json::json!({ "tasks": options.tasks, "push_per_s": rate.round() }));
        }
        Role::Consumer => {
            let workers = start(&pool, options.concurrency);
            let mut done = 0;
            while let Ok(()) = timeout(Duration::from_secs(2), pool.reach(done + 1)).await {
                done = pool.done();
            }
            stop(&pool, workers).await;
        }
        Role::Both => measure(&options, &pool).await,
    }
}

async fn measure(options: &Options, pool: &Pool) {
    let push_rate = fill(&pool.queue, options.tasks).await;
    let bytes = match &options.url {
        Some(url) => Some(memory(url).await / options.tasks as f64),
        None => None,
    };
    let begin = Instant::now();
    let workers = start(pool, options.concurrency);
    pool.reach(options.tasks).await;
    let rate = options.tasks as f64 / begin.elapsed().as_secs_f64();

    let latency_rate = options.rate.unwrap_or(0.5 / (1.0 / push_rate + 1.0 / rate));
    push_at(pool, latency_rate, options.tasks).await;
    pool.reach(2 * options.tasks).await;
    stop(pool, workers).await;
    let mut ways = std::mem::take(&mut *pool.ways.lock().unwrap());
    ways.sort();
    let [p50, p99] = [50, 99].map(|percent| ways[ways.len() * percent / 100].as_secs_f64() * 1e3);
    if options.json {
        let figures = serde_json::json!({
            "concurrency": options.concurrency,
            "tasks": options.tasks,
            "work_ms": options.work_ms,
            "push_per_s": push_rate.round(),
            "tasks_per_s": rate.round(),
            "latency_rate_per_s": latency_rate.round(),
            "p50_ms": p50,
            "p99_ms": p99,
            "bytes_per_waiting_id": bytes.map(f64::round),
        });
        println!("{figures}");
        return;
    }
    println!("push         {push_rate:>10.0} ids/s");
    println!(
        "take to done {rate:>10.0} tasks/s at concurrency {}, {} ms of work",
        options.concurrency, options.work_ms
    );
    println!("push to take {p50:>10.2} ms p50, {p99:.2} ms p99 at {latency_rate:.0} ids/s");
    if let Some(bytes) = bytes {
        println!("memory       {bytes:>10.0} bytes per waiting id");
    }
}

/// Pushes ids by the thousand; gives ids per second.
async fn fill(queue: &Arc<dyn Queue>, tasks: usize) -> f64 {
    let ids: Vec<_> = (0..tasks).map(|_| (TaskId::new(), TaskClass::Normal)).collect();
    let begin = Instant::now();
    for batch in ids.chunks(1000) {
        queue.push(batch).await.unwrap();
    }
    tasks as f64 / begin.elapsed().as_secs_f64()
}

/// Pushes ids at a rate, whatever becomes of them.
async fn push_at(pool: &Pool, per_second: f64, tasks: usize) {
    let (begin, mut pushed) = (Instant::now(), 0);
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while pushed < tasks {
        ticks.tick().await;
        let due = (begin.elapsed().as_secs_f64() * per_second) as usize;
        let ids: Vec<_> = (pushed..due.min(tasks)).map(|_| (TaskId::new(), TaskClass::Normal)).collect();
        let now = Instant::now();
        pool.pushed.lock().unwrap().extend(ids.iter().map(|&(task, _)| (task, now)));
        pushed += ids.len();
        if !ids.is_empty() {
            pool.queue.push(&ids).await.unwrap();
        }
    }
}

fn start(pool: &Pool, concurrency: u32) -> JoinSet<()> {
    (0..concurrency).map(|slot| work(pool.clone(), slot)).collect()
}

async fn stop(pool: &Pool, workers: JoinSet<()>) {
    pool.queue.close().await;
    workers.join_all().await;
}

async fn work(pool: Pool, slot: u32) {
    let worker = WorkerId { process: ProcessId::new(), slot };
    while let Ok(delivery) = pool.queue.take(&worker, Classes::All).await {
        let task = delivery.task();
        if let Some(pushed) = pool.pushed.lock().unwrap().remove(&task) {
            pool.ways.lock().unwrap().push(pushed.elapsed());
        }
        if !pool.work.is_zero() {
            sleep(pool.work).await;
        }
        pool.queue.acknowledge(delivery).await.unwrap();
        pool.done.fetch_add(1, Ordering::Relaxed);
        if pool.prints {
            println!("{task}");
        }
    }
}

impl Pool {
    fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    async fn reach(&self, tasks: usize) {
        while self.done() < tasks {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Bytes of everything that the queue keeps.
async fn memory(url: &str) -> f64 {
    let mut server = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("{openclaw:tasks}*").query_async(&mut server).await.unwrap();
    let mut bytes = 0;
    for key in keys {
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(key).arg("SAMPLES").arg(0);
        bytes += usage.query_async::<u64>(&mut server).await.unwrap();
    }
    bytes as f64
}
