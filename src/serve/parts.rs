//! What each role runs, in the order of its start.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use config::{AgentSpec, ModelSource};
use core_api::Readiness;
use tokio::sync::watch;
use types::ProcessRole;

use super::site::Site;
use super::tasks::Tasks;
use super::{api, engine, openai, toolserver, upkeep, work};
use crate::failure::Failure;
use crate::models;
use crate::service::Service;

/// The parts of a process.
pub(super) struct Parts {
    pub(super) router: Router,
    pub(super) tasks: Option<Tasks>,
    pub(super) engines: Vec<Service>,
    pub(super) pool: Option<Service>,
    pub(super) upkeep: Vec<Service>,
    pub(super) doors: Vec<Service>,
}

type Ready = watch::Receiver<Readiness>;

impl Parts {
    /// Agents at work on tasks; in the role `all`, the whole interface over them.
    pub(super) async fn working(
        site: &Site,
        mut specs: Vec<AgentSpec>,
        ready: Ready,
        grace: Duration,
    ) -> Result<Parts, Failure> {
        let mut tasks = Tasks::open(site).await?;
        let doors = toolserver::start(site, &mut specs).await?.into_iter().collect();
        let models = models::load(&site.config, &site.metrics, &site.patience).await?;
        let engines = models::keep(&models.engines, &site.alarm);
        let agents = work::bind_agents(specs, &models)?;
        let (look, queue) = upkeep::reach(site, tasks.queue.clone());
        let health = api::Vitals { process: models::health(&models.engines), queue };
        let state = api::state(site, &tasks, api::bound(&agents), health, ready)?;
        let work = work::start(site, &tasks, agents, grace)?;
        let mut upkeep = vec![work.leases, look];
        upkeep.extend(upkeep::start(site, &mut tasks, &state, Some(work.occupancy))?);
        let router = match site.role {
            ProcessRole::All => core_api::router_beside(state, openai::here(site, models.engines)),
            _ => core_api::service_router(state),
        };
        Ok(Parts { router, tasks: Some(tasks), engines, pool: Some(work.pool), upkeep, doors })
    }

    /// The interface over tasks that others work on, and over models that others run.
    pub(super) async fn api(site: &Site, specs: &[AgentSpec], ready: Ready) -> Result<Parts, Failure> {
        let mut tasks = Tasks::open(site).await?;
        let (look, queue) = upkeep::reach(site, tasks.queue.clone());
        let health = api::Vitals { process: Arc::new(|| Ok(())), queue };
        let state = api::state(site, &tasks, api::unbound(specs, &site.config), health, ready)?;
        let mut upkeep = vec![look];
        upkeep.extend(upkeep::start(site, &mut tasks, &state, None)?);
        let router = core_api::router_beside(state, openai::there(site)?);
        Ok(Parts { router, tasks: Some(tasks), engines: Vec::new(), pool: None, upkeep, doors: Vec::new() })
    }

    /// Models of this process, for others.
    pub(super) async fn engine(site: &Site, ready: Ready) -> Result<Parts, Failure> {
        let mut config = site.config.clone();
        config.models.retain(|model| !matches!(model.source, ModelSource::Remote(_)));
        let models = models::load(&config, &site.metrics, &site.patience).await?;
        let engines = models::keep(&models.engines, &site.alarm);
        let router = engine::router(site, models.engines, ready);
        Ok(Parts { router, tasks: None, engines, pool: None, upkeep: Vec::new(), doors: Vec::new() })
    }
}
