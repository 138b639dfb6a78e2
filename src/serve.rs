//! The composition root: everything that makes a Talon, in the order of its start, and stopped in the reverse order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{AgentSpec, Exposed, TalonConfig};
use core_api::{ApiSettings, ApiState, Readiness};
use reqwest::Url;
use store::{Leases, Relay, RelaySettings, SqliteSettings, SqliteStore, Store, StoreMetrics};
use task_queue::{MemoryQueue, MemoryQueueSettings, Queue};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;
use types::{AgentName, ProcessId, StopReason, TeamName};
use worker::{Agent, Agents, PoolLimits, PoolManager, ToolClient, WorkerMetrics, WorkerSettings, Workplace};

use crate::cli::ServeArgs;
use crate::door::Door;
use crate::failure::{Failure, with_causes};
use crate::metrics::{Metrics, declared_twice};
use crate::models::{self, Models};
use crate::output::say;
use crate::service::Service;
use crate::{agent, configuration, logging, signals};

/// Running tasks get this long to finish at shutdown; then they are released and run again. With what follows it is
/// below the 10 s after which `docker stop` kills.
const GRACE: Duration = Duration::from_secs(8);
/// Any other part gets this long to end, such as the REST interface with a caller who reads slowly.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two growths of the pool.
const COOL_DOWN: Duration = Duration::from_secs(2);
/// The name by which agents' files know the reference tools; the embedded tool server answers to it.
const TOOLSERVER_HOST: &str = "toolserver";
const TOOLSERVER_PORT: u16 = 9001;

pub(crate) async fn run(arguments: ServeArgs) -> Result<(), Failure> {
    let mut config = configuration::load(arguments.config.as_deref())?;
    if let Some(listen) = arguments.listen {
        config.server.listen = listen;
        let refused = |exposed| Failure::usage(format!("--listen is {exposed}; {}", Exposed::HINT));
        config.server.check_exposure().map_err(refused)?;
    }
    logging::start(&config.log);
    let shutdown = signals::shutdown_requested()?;
    let server = tokio::select! {
        server = Server::start(config, GRACE) => server?,
        () = shutdown.cancelled() => return Err(Failure::interrupted("interrupted before it was ready")),
    };
    say(format_args!("talon serves on {} (Ctrl-C ends it)", server.url()));
    let ended = server.until(&shutdown).await;
    server.stop().await;
    ended
}

/// A whole Talon in this process.
pub(crate) struct Server {
    address: SocketAddr,
    readiness: watch::Sender<Readiness>,
    alarm: CancellationToken,
    engines: Vec<Service>,
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    pool: Service,
    /// How long the pool may take to end.
    grace: Duration,
    upkeep: Vec<Service>,
    doors: Vec<Service>,
}

impl Server {
    /// Starts everything, or says what keeps it from starting. At its end running tasks get `grace` to finish.
    pub(crate) async fn start(config: TalonConfig, grace: Duration) -> Result<Server, Failure> {
        let mut specs = configuration::load_agents(&config)?;
        // Bound first: a port in use is known at once, not after minutes of loading.
        let (listener, address) = bind(config.server.listen, "--listen or server.listen").await?;
        let alarm = CancellationToken::new();
        let door = Door::open(listener, address, &alarm);
        let metrics = Metrics::new();

        let store_metrics = StoreMetrics::new(metrics.process()).map_err(declared_twice)?;
        let store = open_store(&config, store_metrics.clone()).await?;
        let queue: Arc<dyn Queue> = Arc::new(MemoryQueue::new(MemoryQueueSettings::default()));

        let mut doors = Vec::new();
        if config.server.embedded_toolserver {
            let (tools, at) = start_toolserver(&config, &alarm).await?;
            doors.push(tools);
            point_at(&mut specs, at);
        }

        let models = models::load(&config, &metrics).await?;
        let engines = models::keep(&models.engines, &alarm);
        let agents = bind_agents(specs, &models)?;
        let leases = Leases::new(store.clone(), config.lease.timeout);
        let relay = Relay::new(store.clone(), queue.clone(), RelaySettings::default());
        let upkeep = vec![
            Service::start("leases", &alarm, |stop| leases.clone().run(stop.cancelled_owned())),
            Service::start("relay", &alarm, |stop| relay.run(stop.cancelled_owned())),
        ];

        let (readiness, ready) = watch::channel(Readiness::Ready);
        let state = ApiState {
            store: store.clone(),
            agents: Arc::new(
                agents.iter().map(|(name, it)| (name.clone(), agent::view(&it.spec, it.context.tokens))).collect(),
            ),
            metrics: metrics.gather(),
            store_metrics,
            readiness: ready,
            health: models::health(&models.engines),
            settings: Arc::new(api_settings(&config)?),
        };
        let place = Arc::new(Workplace {
            store: store.clone(),
            queue: queue.clone(),
            leases,
            metrics: worker_metrics(&metrics, &agents)?,
            agents,
            tools: ToolClient::new(),
            settings: worker_settings(&config),
        });
        let manager = PoolManager::new(place, ProcessId::new(), pool_limits(&config));
        let pool = Service::start("pool", &alarm, |stop| manager.run(stop, grace));
        let options =
            inference_server::Options { request_timeout: config.inference.request_timeout, ..Default::default() };
        let router = core_api::router_beside(state, inference_server::router(models.engines, options));
        doors.push(door.lead_to(router));
        info!(%address, "ready");
        Ok(Server { address, readiness, alarm, engines, store, queue, pool, grace, upkeep, doors })
    }

    /// Where the REST interface listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for `shutdown`; fails when a part ends by itself, since the rest is then worth nothing.
    pub(crate) async fn until(&self, shutdown: &CancellationToken) -> Result<(), Failure> {
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = self.alarm.cancelled() => Err(Failure::unavailable(
                "a part of the process ended by itself (the log says which); start it again: accepted tasks are kept",
            )),
        }
    }

    /// Takes nothing new ▸ finishes or releases what runs ▸ stops the engines ▸ closes the store.
    pub(crate) async fn stop(self) {
        self.readiness.send_replace(Readiness::Draining);
        // Leases are renewed as long as a task runs.
        self.pool.stop(self.grace + PATIENCE).await;
        for service in self.upkeep {
            service.stop(PATIENCE).await;
        }
        self.queue.close().await;
        for engine in self.engines {
            // One that stands still ends with the process.
            engine.stop(PATIENCE).await;
        }
        // Ends the streams of those who wait for changes, so that the doors can close.
        self.store.close().await;
        for door in self.doors {
            door.stop(PATIENCE).await;
        }
        info!("stopped");
    }
}

/// Listens, and says where: the system chooses port 0. `setting` is where another address can be given.
pub(crate) async fn bind(listen: SocketAddr, setting: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error| {
        Failure::unavailable(format!(
            "{listen} cannot be listened on ({error}); stop what uses it, or change {setting}"
        ))
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn open_store(config: &TalonConfig, metrics: StoreMetrics) -> Result<Arc<dyn Store>, Failure> {
    let settings = SqliteSettings {
        max_queued: config.queue.max_queued,
        metrics: Some(metrics),
        ..SqliteSettings::new(config.store_path())
    };
    let store = SqliteStore::open(settings).await.map_err(|error| Failure::unavailable(with_causes(&error)))?;
    Ok(Arc::new(store))
}

async fn start_toolserver(config: &TalonConfig, alarm: &CancellationToken) -> Result<(Service, SocketAddr), Failure> {
    let options = toolserver::Options::for_documents(config.server.max_document_bytes);
    let (listener, at) = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "server.embedded_toolserver").await?;
    let service = Service::start("tool server", alarm, |stop| async move {
        let served = toolserver::serve(listener, options, stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the embedded tool server ended");
        }
    });
    info!(address = %at, "embedded tool server");
    Ok((service, at))
}

/// Agents' files keep the address of the reference tools; where they are embedded, that name leads here.
fn point_at(specs: &mut [AgentSpec], toolserver: SocketAddr) {
    for tool in specs.iter_mut().flat_map(|spec| &mut spec.tools) {
        if let Some(embedded) = embedded(&tool.endpoint, toolserver) {
            tool.endpoint = embedded;
        }
    }
}

/// The same endpoint at `toolserver`, if it is one of the reference tools.
fn embedded(endpoint: &str, toolserver: SocketAddr) -> Option<String> {
    let mut url = Url::parse(endpoint).ok()?;
    let known_as = ("http", Some(TOOLSERVER_HOST), Some(TOOLSERVER_PORT));
    if (url.scheme(), url.host_str(), url.port()) != known_as {
        return None;
    }
    url.set_ip_host(toolserver.ip()).ok()?;
    url.set_port(Some(toolserver.port())).ok()?;
    Some(url.into())
}

fn bind_agents(specs: Vec<AgentSpec>, models: &Models) -> Result<Agents, Failure> {
    let models = models.generators();
    let mut agents: BTreeMap<AgentName, Arc<Agent>> = BTreeMap::new();
    for spec in specs {
        let agent = Agent::bind(spec, &models).map_err(|error| Failure::usage(with_causes(&error)))?;
        info!(agent = %agent.spec.name, model = %agent.spec.model, context = %agent.context, "agent ready");
        agents.insert(agent.spec.name.clone(), Arc::new(agent));
    }
    Ok(agents)
}

fn api_settings(config: &TalonConfig) -> Result<ApiSettings, Failure> {
    let team: TeamName = "default".parse().map_err(|error: types::InvalidName| Failure::usage(error.to_string()))?;
    Ok(ApiSettings {
        team,
        max_document_bytes: usize::try_from(config.server.max_document_bytes).unwrap_or(usize::MAX),
        max_wait: config.server.max_wait,
        loopback_only: !config.server.dangerously_listen_beyond_loopback,
    })
}

/// Every failure that can be counted stands at zero from the start, so that an alert sees the first one.
fn worker_metrics(metrics: &Metrics, agents: &Agents) -> Result<WorkerMetrics, Failure> {
    let metrics = WorkerMetrics::register(metrics.process()).map_err(declared_twice)?;
    for (agent, reason) in agents.keys().flat_map(|agent| StopReason::ALL.iter().map(move |reason| (agent, reason))) {
        if *reason != StopReason::Completed {
            metrics.errors.with_label_values(&[agent.as_str(), reason.as_str()]);
        }
    }
    Ok(metrics)
}

fn worker_settings(config: &TalonConfig) -> WorkerSettings {
    WorkerSettings {
        session_max_tasks: config.agents.session_max_tasks,
        session_context_share: config.agents.session_context_share,
        idle_timeout: config.agents.idle_timeout,
        request_timeout: config.inference.request_timeout,
    }
}

fn pool_limits(config: &TalonConfig) -> PoolLimits {
    PoolLimits {
        warm: config.agents.warm_agents,
        max: config.agents.max_agents,
        scale_up_depth: usize::try_from(config.agents.scale_up_depth).unwrap_or(usize::MAX),
        idle_timeout: config.agents.idle_timeout,
        cool_down: COOL_DOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &str, expected: Option<&str>) {
        let at = SocketAddr::from(([127, 0, 0, 1], 5000));
        assert_eq!(embedded(endpoint, at).as_deref(), expected, "{endpoint}");
    }

    #[test]
    fn the_reference_tools_are_found_where_they_are_embedded() {
        check("http://toolserver:9001/parse", Some("http://127.0.0.1:5000/parse"));
        check("http://toolserver:9001/table?column=a", Some("http://127.0.0.1:5000/table?column=a"));
    }

    #[test]
    fn an_address_that_only_looks_like_theirs_is_left_alone() {
        for endpoint in [
            "http://toolserver:90010/parse",
            "http://toolserver/parse",
            "https://toolserver:9001/parse",
            "http://toolserver.example:9001/parse",
            "http://toolserver:9001@elsewhere.example/parse",
        ] {
            check(endpoint, None);
        }
    }
}
