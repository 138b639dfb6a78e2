//! The REST interface over what the process has.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{AgentSpec, ModelSource, TalonConfig};
use core_api::{AdminKey, AgentView, ApiRuntime, ApiSettings, ApiState, Authentication, Health, KeySecret, Readiness};
use tokio::sync::watch;
use types::{AgentName, TeamName};
use worker::Agents;

use super::site::Site;
use super::tasks::Tasks;
use crate::agent::view;
use crate::failure::Failure;
use crate::metrics::declared_twice;

/// Whether the process makes progress, and whether the queue can be reached.
pub(super) struct Vitals {
    pub(super) process: Health,
    pub(super) queue: Health,
}

/// What its routes need.
pub(super) fn state(
    site: &Site,
    tasks: &Tasks,
    agents: BTreeMap<AgentName, AgentView>,
    vitals: Vitals,
    readiness: watch::Receiver<Readiness>,
) -> Result<ApiState, Failure> {
    Ok(ApiState {
        store: tasks.store.clone(),
        agents: Arc::new(agents),
        metrics: site.metrics.gather(),
        store_metrics: tasks.metrics.clone(),
        readiness,
        health: vitals.process,
        queue: vitals.queue,
        settings: Arc::new(settings(&site.config)?),
        runtime: ApiRuntime::register(site.metrics.process()).map_err(declared_twice)?,
    })
}

/// Agents with their models.
pub(super) fn bound(agents: &Agents) -> BTreeMap<AgentName, AgentView> {
    agents.iter().map(|(name, agent)| (name.clone(), view(&agent.spec, agent.context.tokens))).collect()
}

/// Agents whose models others have; of a model's context only what the configuration says is known.
pub(super) fn unbound(specs: &[AgentSpec], config: &TalonConfig) -> BTreeMap<AgentName, AgentView> {
    let context = |model: &str| {
        config.models.iter().find(|spec| spec.name == model).and_then(|spec| match &spec.source {
            ModelSource::Remote(remote) => remote.context_tokens,
            ModelSource::Bundled | ModelSource::Path(_) | ModelSource::Hub(_) => None,
        })
    };
    let tokens = |spec: &AgentSpec| {
        context(&spec.model).map_or(spec.max_context_tokens, |tokens| tokens.min(spec.max_context_tokens))
    };
    specs.iter().map(|spec| (spec.name.clone(), view(spec, tokens(spec)))).collect()
}

/// Whose tasks are those that no key says whose they are.
pub(super) fn default_team() -> Result<TeamName, Failure> {
    "default".parse().map_err(|error: types::InvalidName| Failure::usage(error.to_string()))
}

fn settings(config: &TalonConfig) -> Result<ApiSettings, Failure> {
    let team = default_team()?;
    let admin = config.server.admin_key.as_ref().map(|key| KeySecret::given(key.exposed()));
    let loopback_only = !config.server.dangerously_listen_beyond_loopback;
    Ok(ApiSettings {
        authentication: match config.server.authentication {
            config::Authentication::None => Authentication::Open { team, loopback_only },
            config::Authentication::Keys => {
                Authentication::Keys { admin: admin.map(|secret| AdminKey { secret, team }) }
            }
        },
        max_document_bytes: usize::try_from(config.server.max_document_bytes).unwrap_or(usize::MAX),
        max_wait: config.server.max_wait,
        webhooks: config.webhooks.clone(),
    })
}
