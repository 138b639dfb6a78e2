//! Everything but HTTP in front: a store, a queue, a relay, leases, agents and a pool.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config::AgentSpec;
use prometheus::{Registry, TextEncoder};
use store::{
    Actor, Clock, EventKind, Leases, NewDocument, NewTask, Relay, RelaySettings, SqliteSettings, SqliteStore, Step,
    Store, Task,
};
use task_queue::{MemoryQueue, MemoryQueueSettings, Queue};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use types::{DocumentId, ProcessId, StopReason, TaskClass, TaskId, TaskState, TeamName, Timestamp};
use worker::{Agent, Generate, PoolLimits, PoolManager, ToolClient, WorkerMetrics, WorkerSettings, Workplace};

use crate::model::Model;

/// A fact that does not come about in this time never will.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a world is made of; a test changes what its claim is about.
pub struct Setup {
    pub agents: Vec<AgentSpec>,
    pub model: Arc<dyn Generate>,
    pub limits: PoolLimits,
    pub settings: WorkerSettings,
    pub lease_timeout: Duration,
    pub grace: Duration,
    pub clock: Clock,
    pub queue: Arc<dyn Queue>,
}

impl Setup {
    /// One agent that speaks through `model`, one worker.
    pub fn new(agent: AgentSpec, model: &Model) -> Self {
        Setup::with(vec![agent], model.clone())
    }

    pub fn with(agents: Vec<AgentSpec>, model: Arc<dyn Generate>) -> Self {
        Setup {
            agents,
            model,
            limits: PoolLimits {
                warm: 1,
                max: 1,
                scale_up_depth: 1000,
                idle_timeout: Duration::from_secs(60),
                cool_down: Duration::ZERO,
                reserved_interactive_slots: 0,
            },
            settings: WorkerSettings {
                session_max_tasks: 50,
                session_context_share: 0.80,
                idle_timeout: Duration::from_secs(60),
                request_timeout: Duration::from_secs(30),
            },
            lease_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            clock: Clock::System,
            queue: Arc::new(MemoryQueue::new(MemoryQueueSettings::default())),
        }
    }

    pub async fn start(self) -> World {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("talon.db");
        let settings = SqliteSettings { clock: self.clock.clone(), ..SqliteSettings::new(path) };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(settings).await.unwrap());
        let models: BTreeMap<String, Arc<dyn Generate>> = BTreeMap::from([("pocket".to_owned(), self.model)]);
        let bind = |spec: AgentSpec| (spec.name.clone(), Arc::new(Agent::bind(spec, &models).unwrap()));
        let registry = Registry::new();
        let leases = Leases::new(store.clone(), self.lease_timeout);
        let place = Arc::new(Workplace {
            store: store.clone(),
            queue: self.queue.clone(),
            leases: leases.clone(),
            agents: self.agents.into_iter().map(bind).collect(),
            tools: ToolClient::new(),
            metrics: WorkerMetrics::register(&registry).unwrap(),
            settings: self.settings,
        });
        let stop = CancellationToken::new();
        // Leases expire by the clock that a test moves, and not by the one that a leader waits by.
        let (tick, lease_timeout) = (Duration::from_millis(20), Duration::ZERO);
        let relay = RelaySettings { tick, lease_timeout, ..RelaySettings::default() };
        tokio::spawn(Relay::new(store.clone(), self.queue.clone(), relay).run(std::future::pending()));
        tokio::spawn(leases.clone().run(std::future::pending()));
        let manager = PoolManager::new(place, ProcessId::new(), self.limits);
        let pool = tokio::spawn(manager.run(stop.clone(), self.grace));
        World { store, queue: self.queue, leases, registry, clock: self.clock, stop, pool, _folder: folder }
    }
}

/// A running world.
pub struct World {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    pub leases: Leases,
    pub clock: Clock,
    /// Tells the pool to end.
    pub stop: CancellationToken,
    /// Ends when the pool has ended.
    pub pool: JoinHandle<()>,
    registry: Registry,
    _folder: TempDir,
}

impl World {
    pub async fn accept(&self, task: NewTask) -> TaskId {
        self.store.accept(vec![task], &actor()).await.unwrap().remove(0).unwrap().id
    }

    /// The task in its terminal state.
    pub async fn end_of(&self, task: TaskId) -> Task {
        let task = store::wait(self.store.as_ref(), task, PATIENCE).await.unwrap().unwrap();
        assert!(task.state.is_terminal(), "{task:?}");
        task
    }

    /// Accepts a task and waits for its end.
    pub async fn run(&self, task: NewTask) -> Task {
        self.end_of(self.accept(task).await).await
    }

    pub async fn task(&self, task: TaskId) -> Task {
        self.store.task(task).await.unwrap().unwrap()
    }

    /// The task once it stands in `state`.
    pub async fn reaches(&self, task: TaskId, state: TaskState) -> Task {
        let mut changes = self.store.changes();
        let reached = async {
            loop {
                let now = self.task(task).await;
                if now.state == state {
                    return now;
                }
                let _ = changes.recv().await;
            }
        };
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(task) => task,
            Err(_) => panic!("not {state}: {:?}", self.task(task).await),
        }
    }

    pub async fn steps(&self, task: TaskId) -> Vec<Step> {
        self.store.steps(task).await.unwrap()
    }

    pub async fn events(&self, task: TaskId) -> Vec<EventKind> {
        self.store.events(task, 0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect()
    }

    pub async fn upload(&self, name: &str, bytes: Vec<u8>) -> DocumentId {
        let media_type = "application/pdf".to_owned();
        let document = NewDocument { team: team(), name: name.to_owned(), media_type, bytes };
        self.store.put_document(document, &actor()).await.unwrap().id
    }

    /// A sample's value, such as `openclaw_pool_workers{state="idle"}`; 0 when it was never touched.
    pub fn metric(&self, sample: &str) -> f64 {
        let found = self.samples().into_iter().find(|(name, _)| name == sample);
        found.map_or(0.0, |(_, value)| value)
    }

    /// Every sample with its labels.
    pub fn samples(&self) -> Vec<(String, f64)> {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// Waits until a sample has a value.
    pub async fn metric_is(&self, sample: &str, value: f64) {
        until(&format!("{sample} = {value}"), || self.metric(sample) == value).await;
    }

    pub fn pool_workers(&self) -> [f64; 3] {
        ["idle", "busy", "draining"].map(|state| self.metric(&format!("openclaw_pool_workers{{state=\"{state}\"}}")))
    }
}

/// Waits for a fact that nobody announces.
pub async fn until(fact: &str, holds: impl Fn() -> bool) {
    let wait = async {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        while !holds() {
            looks.tick().await;
        }
    };
    within(fact, wait).await;
}

pub async fn within<T>(fact: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("never came about: {fact}"),
    }
}

/// An agent with one tool, `lookup`, that may fail twice without a pause worth mentioning.
pub fn agent(endpoint: &str) -> AgentSpec {
    let text = format!(
        r#"
agent:
  name: helper
  description: Helps
  owner: tests
  team: default
  model: pocket
  max_context_tokens: 100000
  timeout_seconds: 30
  instructions: You help.
  tools:
    - name: lookup
      endpoint: {endpoint}
      description: Look something up.
      effect: read
      data: internal
      reach: internal
      timeout_seconds: 10
      parameters: {{type: object, properties: {{query: {{type: string}}}}, required: [query]}}
"#
    );
    let mut agent = parsed(&text);
    agent.retry.initial_delay = Duration::from_millis(1);
    agent
}

/// The agent of the tests that call no tool.
pub fn talker() -> AgentSpec {
    agent("http://127.0.0.1:9/lookup")
}

/// One of the reference agents, its tools where the reference tools are.
pub fn reference_agent(name: &str, tools: std::net::SocketAddr) -> AgentSpec {
    let path = repository().join("config/agents").join(format!("{name}.yml"));
    let mut agent = parsed(&std::fs::read_to_string(path).unwrap());
    for tool in &mut agent.tools {
        tool.endpoint = tool.endpoint.replace("toolserver:9001", &tools.to_string());
    }
    agent
}

fn parsed(text: &str) -> AgentSpec {
    let loaded = AgentSpec::parse("agent.yml", text);
    loaded.value.unwrap_or_else(|| panic!("{}", loaded.diagnostics))
}

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository.
pub fn sample(path: &str) -> Vec<u8> {
    std::fs::read(repository().join(path)).unwrap()
}

pub fn task(input: &str) -> NewTask {
    NewTask {
        team: team(),
        agent: "helper".parse().unwrap(),
        class: TaskClass::Normal,
        input: Some(input.to_owned()),
        documents: Vec::new(),
        idempotency_key: None,
        due_at: None,
        deadline_at: None,
        max_retries: None,
        concurrency: None,
        callback_url: None,
        cost: 1,
    }
}

pub fn reading(agent: &str, document: DocumentId) -> NewTask {
    NewTask { agent: agent.parse().unwrap(), input: None, documents: vec![document], ..task("") }
}

pub fn manual_clock() -> Clock {
    Clock::manual(Timestamp::now())
}

pub fn actor() -> Actor {
    Actor::new("user:ann")
}

fn team() -> TeamName {
    "default".parse().unwrap()
}

#[track_caller]
pub fn assert_ended(task: &Task, state: TaskState, reason: StopReason) {
    assert_eq!((task.state, task.stop_reason), (state, Some(reason)), "{:?}", task.error);
}

/// Whether the task's message says all of this.
#[track_caller]
pub fn assert_says(task: &Task, words: &[&str]) {
    let message = task.error.as_deref().unwrap_or_default();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}
