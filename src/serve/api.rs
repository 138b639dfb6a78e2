//! The REST interface over what the process has.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::TalonConfig;
use core_api::{AgentView, ApiSettings, ApiState, Health, Readiness};
use tokio::sync::watch;
use types::{AgentName, TeamName};

use super::site::Site;
use super::tasks::Tasks;
use crate::failure::Failure;

/// What its routes need.
pub(super) fn state(
    site: &Site,
    tasks: &Tasks,
    agents: BTreeMap<AgentName, AgentView>,
    health: Health,
    readiness: watch::Receiver<Readiness>,
) -> Result<ApiState, Failure> {
    Ok(ApiState {
        store: tasks.store.clone(),
        agents: Arc::new(agents),
        metrics: site.metrics.gather(),
        store_metrics: tasks.metrics.clone(),
        readiness,
        health,
        settings: Arc::new(settings(&site.config)?),
    })
}

fn settings(config: &TalonConfig) -> Result<ApiSettings, Failure> {
    let team: TeamName = "default".parse().map_err(|error: types::InvalidName| Failure::usage(error.to_string()))?;
    Ok(ApiSettings {
        team,
        max_document_bytes: usize::try_from(config.server.max_document_bytes).unwrap_or(usize::MAX),
        max_wait: config.server.max_wait,
        loopback_only: !config.server.dangerously_listen_beyond_loopback,
    })
}
