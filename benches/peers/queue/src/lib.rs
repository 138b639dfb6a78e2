//! What every Rust peer of the bench shares: its arguments, its payloads, and the log of what ran.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};

/// Bytes of a payload as JSON.
pub const PAYLOAD_BYTES: usize = 450;
/// Payloads that are given to a peer in one call where it takes several.
const BULK: u64 = 500;
/// Time after which a worker that is silent counts as dead, for every peer that can be told.
pub const LEASE: Duration = Duration::from_secs(5);

/// One peer as a process.
#[derive(Parser)]
pub struct Peer {
    #[arg(long)]
    pub redis: String,
    #[command(subcommand)]
    pub role: Role,
}

#[derive(Subcommand)]
pub enum Role {
    /// Adds tasks and ends.
    Produce(Produce),
    /// Runs tasks until it is killed.
    Work(Work),
}

#[derive(Args)]
pub struct Produce {
    #[arg(long)]
    pub count: u64,
    /// The first task's id; those that follow count on.
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Tasks per second, one call each; 0: as many as it can, in bulk.
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
}

#[derive(Args, Clone)]
pub struct Work {
    #[arg(long)]
    pub concurrency: usize,
    /// What a task waits for, in milliseconds; 0 does nothing.
    #[arg(long)]
    pub ms: u64,
    #[arg(long)]
    pub log: PathBuf,
    /// Also logs when a task starts.
    #[arg(long)]
    pub starts: bool,
}

/// A task: 450 bytes of JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Payload {
    pub id: u64,
    /// When its caller gave it to the queue, in nanoseconds since 1970.
    pub at: u64,
    pub text: String,
}

impl Payload {
    pub fn new(id: u64) -> Self {
        let mut payload = Payload { id, at: now(), text: String::new() };
        let bare = serde_json::to_string(&payload).expect("plain data").len();
        payload.text = "x".repeat(PAYLOAD_BYTES - bare);
        payload
    }
}

/// Runs a payload as every peer does: the log is written by one call to the system, so that a killed process has written it.
pub struct Runner {
    work: Work,
    log: File,
}

impl Runner {
    pub fn new(work: &Work) -> std::io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(&work.log)?;
        Ok(Runner { work: work.clone(), log })
    }

    pub async fn run(&self, payload: &Payload) {
        let started = now();
        if self.work.starts {
            self.record(payload, started, 0);
        }
        if self.work.ms != 0 {
            tokio::time::sleep(Duration::from_millis(self.work.ms)).await;
        }
        self.record(payload, started, now());
    }

    /// 32 bytes: id, given, started, ended (0 at the start).
    fn record(&self, payload: &Payload, started: u64, ended: u64) {
        let fields = [payload.id, payload.at, started, ended];
        let record: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        (&self.log).write_all(&record).expect("the log is written");
    }
}

impl Produce {
    /// The ids in portions for one call each.
    pub fn bulks(&self) -> impl Iterator<Item = std::ops::Range<u64>> {
        let end = self.first + self.count;
        (self.first..end).step_by(BULK as usize).map(move |first| first..(first + BULK).min(end))
    }

    /// The ids one by one, each when it is due.
    pub async fn paced(&self, mut add: impl FnMut(u64)) {
        let start = tokio::time::Instant::now();
        for index in 0..self.count {
            let due = Duration::from_secs_f64(index as f64 / self.rate as f64);
            tokio::time::sleep_until(start + due).await;
            add(self.first + index);
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_nanos()).expect("a clock before 2554")
}
