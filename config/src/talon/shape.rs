//! How `talon.yml` looks: every key, its limits and its default, said once for the reader and the editors' schema.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

use super::{
    AgentsDir, Environment, Exposed, LeaseConfig, LogConfig, LogFormat, LogLevel, ModelSpec, QueueConfig, ServerConfig,
    StoreConfig, TalonConfig, ToolBinding,
};
use super::{core, models};
use crate::endpoint::endpoint;
use crate::shape::{
    Fields, Shape, Show, attempt, bytes, choice, flag, list, named, object, parsed, seconds, text, whole,
};

/// The word in place of a path that means "compiled into the binary".
pub(super) const BUNDLED: &str = "bundled";

pub(super) const LOG_LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

/// A whole file. Every key may be absent. `data_dir` is left empty when the file does not have it.
pub(crate) fn file() -> impl Shape<Out = TalonConfig> {
    object(|fields: &mut Fields<'_, '_>| {
        let default = defaults();
        fields.or("version", "the version of this file's format", whole(1..=1), 1);
        let server = fields.optional("server", "the REST interface", object(server));
        let data_dir = fields.optional(
            "data_dir",
            "where the store and other state live; $XDG_DATA_HOME/talon or ~/.local/share/talon when absent",
            path(),
        );
        let store = fields.optional("store", "the store", object(store));
        let queue = fields.optional("queue", "waiting tasks", object(queue));
        let core = fields.optional("openclaw_core", "the engine and the worker pool", object(core::core));
        let models = fields.optional("models", "the models that agents may name", list(attempt(object(models::model))));
        let offline = fields.or(
            "offline",
            "forbids downloads, so that models of the hub must be here already; HF_HUB_OFFLINE=1 does the same",
            flag(),
            default.offline,
        );
        let tools = fields.optional(
            "tools",
            "tools by name that live elsewhere than the agents' files say",
            named(object(|fields: &mut Fields<'_, '_>| {
                let endpoint = fields.required("endpoint", "where the tool lives in this installation", endpoint());
                Some(ToolBinding { endpoint: endpoint? })
            })),
        );
        let agents_dir = fields.optional(
            "agents_dir",
            "the folder of the agents' files, or \"bundled\" for the five of the binary (the default)",
            agents_dir(),
        );
        let lease = fields.optional("lease", "leases on running tasks", object(lease));
        let log = fields.optional("log", "what is logged, and how", object(log));
        let models = models.map(|models| check_models(models, fields));
        let (inference, agents) = core.unwrap_or((None, None));
        Some(TalonConfig {
            server: server.unwrap_or(default.server),
            data_dir: data_dir.unwrap_or_default(),
            store: store.unwrap_or(default.store),
            queue: queue.unwrap_or(default.queue),
            inference: inference.unwrap_or(default.inference),
            agents: agents.unwrap_or(default.agents),
            models: models.unwrap_or(default.models),
            offline,
            tools: tools.map_or_else(BTreeMap::new, |tools| tools.into_iter().collect()),
            agents_dir: agents_dir.unwrap_or(default.agents_dir),
            lease: lease.unwrap_or(default.lease),
            log: log.unwrap_or(default.log),
        })
    })
}

/// The defaults, but for those of the environment.
pub(super) fn defaults() -> TalonConfig {
    TalonConfig::defaults(&Environment::default())
}

fn server(fields: &mut Fields<'_, '_>) -> Option<ServerConfig> {
    let default = defaults().server;
    let server = ServerConfig {
        listen: fields.or("listen", "address and port; 127.0.0.1 is this machine alone", address(), default.listen),
        dangerously_listen_beyond_loopback: fields.or(
            "dangerously_listen_beyond_loopback",
            "allows an address that other machines reach, though this version authenticates nobody",
            flag(),
            default.dangerously_listen_beyond_loopback,
        ),
        max_document_bytes: fields.or(
            "max_document_bytes",
            "the largest document that is accepted",
            bytes(1024..=1 << 30),
            default.max_document_bytes,
        ),
        max_wait: fields.or(
            "max_wait_seconds",
            "the longest that a caller may wait for a result in one request",
            seconds(1..=3600),
            default.max_wait,
        ),
        embedded_toolserver: fields.or(
            "embedded_toolserver",
            "runs the reference tools in this process; agents know them as http://toolserver:9001",
            flag(),
            default.embedded_toolserver,
        ),
    };
    if let Err(exposed) = server.check_exposure() {
        fields.error("listen", |path: &str| format!("{path}.listen is {exposed}"), Exposed::HINT);
    }
    Some(server)
}

fn store(fields: &mut Fields<'_, '_>) -> Option<StoreConfig> {
    let about = "the SQLite file; relative to data_dir";
    Some(StoreConfig { path: fields.or("path", about, parsed_path(), "talon.db".to_owned()).into() })
}

fn queue(fields: &mut Fields<'_, '_>) -> Option<QueueConfig> {
    let about = "more than this many waiting tasks are refused with 429";
    Some(QueueConfig {
        max_queued: fields.or("max_queued", about, whole(1..=100_000_000), defaults().queue.max_queued),
    })
}

fn check_models(models: Vec<Option<ModelSpec>>, fields: &mut Fields<'_, '_>) -> Vec<ModelSpec> {
    if models.is_empty() {
        let message = |_: &str| "models is empty; no agent could run".to_owned();
        fields.error("models", message, "name a model, or take the key out");
    }
    let mut names = BTreeSet::new();
    for (index, model) in models.iter().enumerate() {
        let Some(ModelSpec { name, .. }) = model else { continue };
        if !names.insert(name) {
            let span = fields.node("models").map(|models| models.at_pointer(&format!("/{index}/name")).span);
            fields.error_at(span, format!("there are two models named {name:?}"), "rename one of the two");
        }
    }
    models.into_iter().flatten().collect()
}

fn lease(fields: &mut Fields<'_, '_>) -> Option<LeaseConfig> {
    let about = "a worker that has not renewed for this long has lost its task";
    Some(LeaseConfig { timeout: fields.or("timeout_seconds", about, seconds(1..=3600), defaults().lease.timeout) })
}

fn log(fields: &mut Fields<'_, '_>) -> Option<LogConfig> {
    const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
    let default = defaults().log;
    let about = "the least severe that is logged; OPENCLAW_LOG_LEVEL overrides it";
    Some(LogConfig {
        level: fields.or("level", about, choice(LOG_LEVELS), default.level),
        format: fields.or("format", "text for people, json for machines", choice(FORMATS), default.format),
    })
}

/// An address and a port.
fn address() -> impl Show<Out = SocketAddr> {
    parsed(json!({}), |text| {
        text.parse().map_err(|_| {
            ("not an IP address with a port".to_owned(), "write it as 127.0.0.1:8400 or [::1]:8400".to_owned())
        })
    })
}

/// A path as text.
fn parsed_path() -> impl Show<Out = String> {
    text()
}

/// A path.
fn path() -> impl Shape<Out = PathBuf> {
    parsed(json!({}), |text| Ok(PathBuf::from(text)))
}

fn agents_dir() -> impl Shape<Out = AgentsDir> {
    parsed(json!({}), |text| {
        Ok(if text == BUNDLED { AgentsDir::Bundled } else { AgentsDir::Path(PathBuf::from(text)) })
    })
}
