//! `talon.yml`: how one installation runs.

mod core;
mod environment;
mod load;
mod models;
mod server;
mod shape;
mod state;
mod webhooks;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub use environment::Environment;
pub use models::{HubModel, ModelSource, ModelSpec, RemoteKind, RemoteModel};
pub use server::{Authentication, Exposed, ServerConfig};
pub use state::{QueueConfig, RetentionConfig, StoreConfig};
pub use webhooks::WebhookConfig;

pub(crate) use shape::file as file_shape;

/// Everything an operator can set. `TalonConfig::default()` is the shipped `config/talon.yml`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TalonConfig {
    /// The REST interface.
    pub server: ServerConfig,
    /// Where the store, downloads and other state live.
    pub data_dir: PathBuf,
    /// The store.
    pub store: StoreConfig,
    /// Waiting tasks.
    pub queue: QueueConfig,
    /// How long what has ended is kept.
    pub retention: RetentionConfig,
    /// Who may be told that a task has ended.
    pub webhooks: WebhookConfig,
    /// `openclaw_core.inference`: the engine.
    pub inference: InferenceConfig,
    /// `openclaw_core.agents`: the worker pool.
    pub agents: PoolConfig,
    /// The models that agents may name; the first is the default of the OpenAI routes.
    pub models: Vec<ModelSpec>,
    /// Forbids downloads: models of the hub must be here already.
    pub offline: bool,
    /// Tools by name that live elsewhere than the agents' files say.
    pub tools: BTreeMap<String, ToolBinding>,
    /// Where the agents' files are.
    pub agents_dir: AgentsDir,
    /// Leases on running tasks.
    pub lease: LeaseConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// The engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InferenceConfig {
    /// Sequences that one step may carry.
    pub max_batch_size: usize,
    /// Tokens that one step may compute; bounds how long a prefill delays the others.
    pub max_batched_tokens: usize,
    /// The longest that one generation may take.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub request_timeout: Duration,
    /// Memory for keys and values of all sessions together, and of prefixes that are kept; taken as it is used.
    pub kv_cache_bytes: u64,
    /// How keys and values are kept.
    pub kv_cache_dtype: KvCacheDtype,
    /// Threads that compute; all cores that the process may use if absent.
    pub threads: Option<usize>,
    /// Requests that may wait for admission; more are refused as overloaded.
    pub max_waiting: usize,
}

/// A number among keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KvCacheDtype {
    /// Half precision.
    F16,
    /// A byte, with a scale for each token and head: half the memory, a little less exact.
    Int8,
}

/// The worker pool and its sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolConfig {
    /// Workers at most.
    pub max_agents: usize,
    /// Workers that are always there.
    pub warm_agents: usize,
    /// Waiting tasks above which workers are added.
    pub scale_up_depth: u64,
    /// Tasks after which a session is reset.
    pub session_max_tasks: u32,
    /// Share of its context above which a session is reset, `0.10..=0.95`.
    pub session_context_share: f64,
    /// Idle time after which a session is reset, and a worker above `warm_agents` leaves.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub idle_timeout: Duration,
}

/// Where a tool lives in this installation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolBinding {
    /// Replaces the endpoint of every tool of that name.
    pub endpoint: String,
}

/// Where the agents' files are.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentsDir {
    /// The five reference agents that are compiled into the binary.
    Bundled,
    /// Every `*.yml` and `*.yaml` of a folder.
    Path(PathBuf),
}

/// Leases on running tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeaseConfig {
    /// A worker that has not renewed for this long has lost its task.
    #[serde(rename = "timeout_seconds", serialize_with = "crate::seconds::serialize")]
    pub timeout: Duration,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LogConfig {
    /// The least severe that is logged.
    pub level: LogLevel,
    /// For people or for machines.
    pub format: LogFormat,
}

/// The least severe that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what needs someone now.
    Error,
    /// And what needs someone soon.
    Warn,
    /// And what happened.
    Info,
    /// And why.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// As `tracing` and `OPENCLAW_LOG_LEVEL` name it.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for TalonConfig {
    fn default() -> Self {
        TalonConfig::defaults(&Environment::of_process())
    }
}

impl TalonConfig {
    /// Every default; only `data_dir` depends on the environment (`XDG_DATA_HOME`, `HOME`).
    pub fn defaults(environment: &Environment) -> Self {
        TalonConfig {
            server: ServerConfig::default(),
            data_dir: environment.data_dir(),
            store: StoreConfig::default(),
            queue: QueueConfig::default(),
            retention: RetentionConfig::default(),
            webhooks: WebhookConfig::default(),
            inference: InferenceConfig {
                max_batch_size: 16,
                max_batched_tokens: 512,
                request_timeout: Duration::from_secs(90),
                kv_cache_bytes: 512 * 1024 * 1024,
                kv_cache_dtype: KvCacheDtype::F16,
                threads: None,
                max_waiting: 256,
            },
            agents: PoolConfig {
                max_agents: 12,
                warm_agents: 5,
                scale_up_depth: 10,
                session_max_tasks: 50,
                session_context_share: 0.80,
                idle_timeout: Duration::from_secs(120),
            },
            models: vec![ModelSpec { name: "pocket".to_owned(), source: ModelSource::Bundled }],
            offline: false,
            tools: BTreeMap::new(),
            agents_dir: AgentsDir::Bundled,
            lease: LeaseConfig { timeout: Duration::from_secs(30) },
            log: LogConfig { level: LogLevel::Info, format: LogFormat::Text },
        }
    }

    /// The SQLite file.
    pub fn store_path(&self) -> PathBuf {
        self.data_dir.join(&self.store.path)
    }

    /// Workers that only interactive tasks may have; one at least is left to the others.
    pub fn reserved_interactive_slots(&self) -> usize {
        self.queue.reserved_interactive_slots.min(self.agents.max_agents.saturating_sub(1))
    }
}
