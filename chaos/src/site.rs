//! The installation of one seed: servers, the ways to them, and processes of ours; and everything that can be done to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use testbed::{Postgres, Proxy, Redis, RedisOptions, Signal, SmallDisk, free_port, new_folder};
use tokio::sync::Mutex;

use crate::ambushes::Ambushes;
use crate::engine::Engine;
use crate::plan::{Fault, Layout, MAX_RETRIES, Party, Plan, Server};
use crate::process::{Ends, Kept, log_of, talon};

/// Room for the embedded store, as long as nobody takes it.
const DISK: u64 = 32 << 20;

/// A running installation.
pub(crate) struct Site<'a> {
    /// Where its REST interface is.
    pub(crate) url: String,
    pub(crate) engine: Engine,
    pub(crate) ambushes: Ambushes,
    parties: BTreeMap<Party, Kept>,
    proxies: BTreeMap<(Party, Server), Proxy>,
    redis: Option<Mutex<Redis>>,
    postgres: &'a Mutex<Postgres>,
    disk: Option<SmallDisk>,
    folder: TempDir,
}

impl<'a> Site<'a> {
    /// Starts everything. `program` is the binary `talon`.
    pub(crate) async fn start(plan: &Plan, program: &Path, postgres: &'a Mutex<Postgres>) -> Self {
        let folder = new_folder(&std::env::temp_dir());
        let engine = Engine::start(&plan.tasks).await;
        let ambushes = Ambushes::lay(plan.ambushes.clone(), folder.path());
        let config = write_files(folder.path(), plan, &engine.url);
        let (redis, disk, urls) = match plan.layout {
            Layout::Embedded => (None, Some(SmallDisk::of(DISK)), BTreeMap::new()),
            Layout::Split { appendonly, .. } => {
                let redis = Redis::start(RedisOptions { appendonly, ..RedisOptions::default() }).await;
                let database = postgres.lock().await.database().await;
                let urls = BTreeMap::from([(Server::Postgres, database), (Server::Redis, redis.url())]);
                (Some(Mutex::new(redis)), None, urls)
            }
        };
        let mut proxies = BTreeMap::new();
        let mut parties = BTreeMap::new();
        let mut url = String::new();
        for party in plan.layout.parties() {
            let home = home(folder.path(), party);
            fs::create_dir(&home).unwrap();
            let data = disk.as_ref().map_or_else(|| home.join("data"), |disk| disk.path().join("data"));
            let port = free_port();
            let mut environment = vec![
                ("TALON_DATA_DIR".to_owned(), data.to_str().unwrap().to_owned()),
                ("TALON_FAULT_SOCKET".to_owned(), ambushes.socket.to_str().unwrap().to_owned()),
            ];
            for (server, variable) in [(Server::Postgres, "TALON_DATABASE_URL"), (Server::Redis, "TALON_REDIS_URL")] {
                if let Some(url) = urls.get(&server) {
                    let proxy = Proxy::to(url).await;
                    environment.push((variable.to_owned(), proxy.url().to_owned()));
                    proxies.insert((party, server), proxy);
                }
            }
            let mut arguments: Vec<String> =
                ["--config", config.to_str().unwrap(), "--listen"].map(str::to_owned).into();
            arguments.push(format!("127.0.0.1:{port}"));
            match (plan.layout, party) {
                (Layout::Embedded, _) => {}
                (Layout::Split { .. }, Party::Api) => arguments.extend(["--role".to_owned(), "api".to_owned()]),
                (Layout::Split { .. }, Party::Worker(_)) => {
                    arguments.extend(["--role".to_owned(), "worker".to_owned()])
                }
            }
            if party == Party::Api {
                url = format!("http://127.0.0.1:{port}");
            }
            let program = program.to_owned();
            parties.insert(party, Kept::start(move || talon(&program, &arguments, &home, &environment)));
        }
        Site { url, engine, ambushes, parties, proxies, redis, postgres, disk, folder }
    }

    /// Does something to it, and takes it back when its time is over.
    pub(crate) async fn suffer(&self, fault: Fault) {
        match fault {
            Fault::Kill(party) => self.parties[&party].signal(Signal::KILL),
            Fault::Terminate(party) => self.parties[&party].signal(Signal::TERM),
            Fault::Stop(party, pause) => self.parties[&party].pause(pause),
            Fault::Drop(party, server) => self.proxies[&(party, server)].drop_all(),
            Fault::HalfOpen(party, server, pause) => {
                self.proxies[&(party, server)].half_open();
                tokio::time::sleep(pause).await;
                self.proxies[&(party, server)].pass();
            }
            Fault::Refuse(party, server, pause) => {
                self.proxies[&(party, server)].refuse();
                tokio::time::sleep(pause).await;
                self.proxies[&(party, server)].pass();
            }
            Fault::PostgresEnds(how) => self.postgres.lock().await.restart(how).await,
            Fault::RedisKilled { away } => {
                let mut redis = self.redis().lock().await;
                redis.kill();
                tokio::time::sleep(away).await;
                redis.restart().await;
            }
            Fault::RedisFlushed => drop(self.redis().lock().await.cli(&["FLUSHALL"]).await),
            Fault::RedisStopped(pause) => {
                let redis = self.redis().lock().await;
                redis.signal(Signal::STOP);
                tokio::time::sleep(pause).await;
                redis.signal(Signal::CONT);
            }
            Fault::DiskFull(pause) => {
                let disk = self.disk.as_ref().expect("only an embedded installation has a small disk");
                disk.fill();
                tokio::time::sleep(pause).await;
                disk.clear();
            }
        }
    }

    fn redis(&self) -> &Mutex<Redis> {
        self.redis.as_ref().expect("only a split installation has a Redis")
    }

    /// Nothing more goes wrong.
    pub(crate) fn calm(&self) {
        self.ambushes.lift();
        self.proxies.values().for_each(Proxy::pass);
        self.parties.values().for_each(|party| party.signal(Signal::CONT));
        if let Some(disk) = &self.disk {
            disk.clear();
        }
    }

    /// What Redis still holds of ours: `NAME COUNT` of each stream with entries.
    pub(crate) async fn left_in_redis(&self) -> Vec<String> {
        let Some(redis) = &self.redis else { return Vec::new() };
        let redis = redis.lock().await;
        let mut left = Vec::new();
        for class in ["interactive", "normal", "batch"] {
            let stream = format!("{{openclaw:tasks}}:{class}");
            let length = redis.cli(&["XLEN", &stream]).await;
            if length != "0" {
                left.push(format!("{stream} {length}"));
            }
        }
        left
    }

    /// How the lives of each process ended.
    pub(crate) fn ends(&self) -> BTreeMap<String, Ends> {
        self.parties.iter().map(|(party, kept)| (name(*party), kept.ends())).collect()
    }

    /// The end of each process's log.
    pub(crate) fn last_words(&self) -> String {
        let words = |party: &Party| {
            let log = fs::read_to_string(log_of(&home(self.folder(), *party))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            format!("{}:\n{}", name(*party), lines[lines.len().saturating_sub(20)..].join("\n"))
        };
        self.parties.keys().map(words).collect::<Vec<_>>().join("\n")
    }

    /// Where files and logs lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn name(party: Party) -> String {
    match party {
        Party::Api => "api".to_owned(),
        Party::Worker(number) => format!("worker-{number}"),
    }
}

fn home(folder: &Path, party: Party) -> PathBuf {
    folder.join(name(party))
}

/// The configuration and the agent of a plan. JSON is YAML, too.
fn write_files(folder: &Path, plan: &Plan, engine: &str) -> PathBuf {
    let agents = folder.join("agents");
    fs::create_dir(&agents).unwrap();
    let agent = serde_json::json!({"agent": {
        "name": "scripted", "description": "Does what the script of its task says", "owner": "chaos@example.internal",
        "team": "default", "model": "scripted", "max_context_tokens": 6144, "timeout_seconds": 60,
        "retry_policy": {"max_retries": MAX_RETRIES, "initial_delay_seconds": 0, "max_delay_seconds": 1},
        "instructions": "Do what the task says.",
        "tools": [{
            "name": "record", "endpoint": format!("{engine}/record"), "description": "Record a call.",
            "effect": "write", "data": "internal", "reach": "internal", "timeout_seconds": 10,
            "parameters": {"type": "object", "required": ["task", "call"],
                           "properties": {"task": {"type": "integer"}, "call": {"type": "integer"}}},
        }],
        "guardrails": {"max_tool_calls_per_task": 10, "max_steps": 12, "max_output_tokens": 64, "allow_external_network": false},
    }});
    fs::write(agents.join("scripted.yml"), agent.to_string()).unwrap();
    let config = serde_json::json!({
        "version": 1,
        "server": {"embedded_toolserver": false},
        "models": [{"name": "scripted", "url": format!("{engine}/v1"), "kind": "openai", "context_tokens": 8192}],
        "agents_dir": "agents",
        "openclaw_core": {"agents": {"max_agents": 6, "warm_agents": 4, "scale_up_depth": 2}},
        "lease": {"timeout_seconds": plan.lease.as_secs()},
        "log": {"level": "debug"},
    });
    let file = folder.join("talon.yml");
    fs::write(&file, config.to_string()).unwrap();
    file
}
