//! How `talon.yml` looks: every key, its limits and its default, said once for the reader and the editors' schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::json;

use super::{
    AgentsDir, Environment, LeaseConfig, LogConfig, LogFormat, LogLevel, ModelSpec, PoolConfig, QueueConfig,
    TalonConfig, ToolBinding,
};
use super::{core, models, server, state, webhooks};
use crate::endpoint::endpoint;
use crate::shape::{Fields, Shape, attempt, choice, flag, list, named, object, parsed, seconds, whole};

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
        let server = fields.optional("server", "the REST interface", object(server::server));
        let data_dir = fields.optional(
            "data_dir",
            "where the store and other state live; $XDG_DATA_HOME/talon or ~/.local/share/talon when absent",
            path(),
        );
        let store = fields.optional("store", "the store", object(state::store));
        let queue = fields.optional("queue", "waiting tasks", object(state::queue));
        let retention = fields.optional("retention", "how long what has ended is kept", object(state::retention));
        let webhooks = fields.optional("webhooks", "who may be told that a task has ended", object(webhooks::webhooks));
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
        let agents = agents.unwrap_or(default.agents);
        let queue = queue.unwrap_or(default.queue);
        check_reserved_slots(&queue, &agents, fields);
        Some(TalonConfig {
            server: server.unwrap_or(default.server),
            data_dir: data_dir.unwrap_or_default(),
            store: store.unwrap_or(default.store),
            queue,
            retention: retention.unwrap_or(default.retention),
            webhooks: webhooks.unwrap_or(default.webhooks),
            inference: inference.unwrap_or(default.inference),
            agents,
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

/// Tasks of other classes need a worker, too.
fn check_reserved_slots(queue: &QueueConfig, agents: &PoolConfig, fields: &mut Fields<'_, '_>) {
    let (reserved, max) = (queue.reserved_interactive_slots, agents.max_agents);
    let span = fields.node("queue").and_then(|queue| queue.get("reserved_interactive_slots")).map(|it| it.value.span);
    if 0 < reserved && max <= reserved {
        let message =
            format!("queue.reserved_interactive_slots is {reserved}, but max_agents is {max}: no worker is left");
        fields.error_at(span, message, format!("set it to {} or less, or raise max_agents", max - 1));
    }
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

/// A path.
fn path() -> impl Shape<Out = PathBuf> {
    parsed(json!({}), |text| Ok(PathBuf::from(text)))
}

fn agents_dir() -> impl Shape<Out = AgentsDir> {
    parsed(json!({}), |text| {
        Ok(if text == BUNDLED { AgentsDir::Bundled } else { AgentsDir::Path(PathBuf::from(text)) })
    })
}
