//! Agents at work: their models and tools bound, their leases kept, their pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::{AgentSpec, TalonConfig};
use store::Leases;
use tracing::info;
use types::{AgentName, StopReason};
use worker::{Agent, Agents, Occupancy, PoolLimits, PoolManager, ToolClient, WorkerMetrics, WorkerSettings, Workplace};

use super::site::Site;
use super::tasks::Tasks;
use crate::failure::{Failure, with_causes};
use crate::metrics::{Metrics, declared_twice};
use crate::models::Models;
use crate::service::Service;

/// Time between two growths of the pool.
const COOL_DOWN: Duration = Duration::from_secs(2);

/// The agents with their models.
pub(super) fn bind_agents(specs: Vec<AgentSpec>, models: &Models) -> Result<Agents, Failure> {
    let models = models.generators();
    let mut agents: BTreeMap<AgentName, Arc<Agent>> = BTreeMap::new();
    for spec in specs {
        let agent = Agent::bind(spec, &models).map_err(|error| Failure::usage(with_causes(&error)))?;
        info!(agent = %agent.spec.name, model = %agent.spec.model, context = %agent.context, "agent ready");
        agents.insert(agent.spec.name.clone(), Arc::new(agent));
    }
    Ok(agents)
}

/// Starts the pool, and what keeps the leases of its tasks. When it is told to stop, running tasks get `grace`.
pub(super) fn start(site: &Site, tasks: &Tasks, agents: Agents, grace: Duration) -> Result<Work, Failure> {
    let leases = Leases::new(tasks.store.clone(), site.config.lease.timeout);
    let kept = Service::start("leases", &site.alarm, |stop| leases.clone().run(stop.cancelled_owned()));
    let place = Arc::new(Workplace {
        store: tasks.store.clone(),
        queue: tasks.queue.clone(),
        leases,
        metrics: metrics(&site.metrics, &agents)?,
        agents,
        tools: ToolClient::new(),
        settings: settings(&site.config),
    });
    let manager = PoolManager::new(place, site.process.clone(), limits(&site.config));
    let occupancy = manager.occupancy();
    let pool = Service::start("pool", &site.alarm, |stop| manager.run(stop, grace));
    Ok(Work { pool, occupancy, leases: kept })
}

/// What works.
pub(super) struct Work {
    pub(super) pool: Service,
    pub(super) occupancy: Arc<Occupancy>,
    /// Renewed as long as a task runs.
    pub(super) leases: Service,
}

/// Every failure that can be counted stands at zero from the start, so that an alert sees the first one.
fn metrics(metrics: &Metrics, agents: &Agents) -> Result<WorkerMetrics, Failure> {
    let metrics = WorkerMetrics::register(metrics.process()).map_err(declared_twice)?;
    for (agent, reason) in agents.keys().flat_map(|agent| StopReason::ALL.iter().map(move |reason| (agent, reason))) {
        if *reason != StopReason::Completed {
            metrics.errors.with_label_values(&[agent.as_str(), reason.as_str()]);
        }
    }
    Ok(metrics)
}

fn settings(config: &TalonConfig) -> WorkerSettings {
    WorkerSettings {
        session_max_tasks: config.agents.session_max_tasks,
        session_context_share: config.agents.session_context_share,
        idle_timeout: config.agents.idle_timeout,
        request_timeout: config.inference.request_timeout,
    }
}

fn limits(config: &TalonConfig) -> PoolLimits {
    PoolLimits {
        warm: config.agents.warm_agents,
        max: config.agents.max_agents,
        scale_up_depth: usize::try_from(config.agents.scale_up_depth).unwrap_or(usize::MAX),
        idle_timeout: config.agents.idle_timeout,
        cool_down: COOL_DOWN,
        reserved_interactive_slots: config.reserved_interactive_slots(),
    }
}
