//! The composition root: everything that makes a Talon, in the order of its start, and stopped in the reverse order.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{AgentSpec, Exposed, ModelSource, TalonConfig};
use core_api::{ApiSettings, ApiState, Health, Readiness};
use inference::{ChatModel, EngineConfig, EngineMetrics, Model};
use store::{Leases, Relay, RelaySettings, SqliteSettings, SqliteStore, Store, StoreMetrics};
use task_queue::{MemoryQueue, MemoryQueueSettings, Queue};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::info;
use types::{AgentName, ProcessId, TeamName};
use worker::{Agent, Agents, Generate, PoolLimits, PoolManager, ToolClient, WorkerMetrics, WorkerSettings, Workplace};

use crate::cli::ServeArgs;
use crate::failure::{Failure, with_causes};
use crate::metrics::Metrics;
use crate::{agent, bundled, configuration, logging, signals};

/// Running tasks get this long to finish at shutdown; then they are released and run again.
const GRACE: Duration = Duration::from_secs(20);
/// An engine that has not come round its loop for this long stands still.
const STALLED: Duration = Duration::from_secs(30);
/// Time between two growths of the pool.
const COOL_DOWN: Duration = Duration::from_secs(2);
/// The name by which agents' files know the reference tools; the embedded tool server answers to it.
const TOOLSERVER_HOST: &str = "toolserver";

pub(crate) async fn run(arguments: ServeArgs) -> Result<(), Failure> {
    let mut config = configuration::load(arguments.config.as_deref())?;
    if let Some(listen) = arguments.listen {
        config.server.listen = listen;
        let refused = |exposed| Failure::usage(format!("--listen is {exposed}; {}", Exposed::HINT));
        config.server.check_exposure().map_err(refused)?;
    }
    logging::start(&config.log);
    let shutdown = signals::shutdown_requested()?;
    let server = Server::start(config).await?;
    eprintln!("talon serves on http://{} (Ctrl-C ends it)", server.address());
    shutdown.cancelled().await;
    server.stop().await;
    Ok(())
}

/// A whole Talon in this process.
pub(crate) struct Server {
    address: SocketAddr,
    readiness: watch::Sender<Readiness>,
    engines: Vec<ChatModel>,
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    pool: Service,
    upkeep: Vec<Service>,
    doors: Vec<Service>,
}

/// A task of the runtime that ends when it is told to.
struct Service {
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl Service {
    fn start<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(CancellationToken) -> F) -> Self {
        let stop = CancellationToken::new();
        Service { ended: tokio::spawn(run(stop.clone())), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.ended.await {
            tracing::error!(%error, "a part of the process had died");
        }
    }
}

impl Server {
    /// Starts everything, or says what keeps it from starting.
    pub(crate) async fn start(config: TalonConfig) -> Result<Server, Failure> {
        let mut specs = configuration::load_agents(&config)?;
        // Bound first: a port in use is known at once, not after minutes of loading.
        let listener = bind(config.server.listen).await?;
        let address = local_address(&listener)?;
        let metrics = Metrics::new();

        let store_metrics = StoreMetrics::new(metrics.process()).map_err(declared_twice)?;
        let store = open_store(&config, store_metrics.clone()).await?;
        let queue: Arc<dyn Queue> = Arc::new(MemoryQueue::new(MemoryQueueSettings::default()));

        let mut doors = Vec::new();
        if config.server.embedded_toolserver {
            let (tools, at) = start_toolserver().await?;
            doors.push(tools);
            point_at(&mut specs, at);
        }

        let engines = load_models(&config, &metrics).await?;
        let agents = bind_agents(specs, &engines)?;
        let leases = Leases::new(store.clone(), config.lease.timeout);
        let relay = Relay::new(store.clone(), queue.clone(), RelaySettings::default());
        let upkeep = vec![
            Service::start(|stop| leases.clone().run(stop.cancelled_owned())),
            Service::start(|stop| relay.run(stop.cancelled_owned())),
        ];

        let (readiness, ready) = watch::channel(Readiness::Starting);
        let state = ApiState {
            store: store.clone(),
            agents: Arc::new(
                agents.iter().map(|(name, it)| (name.clone(), agent::view(&it.spec, it.context.tokens))).collect(),
            ),
            metrics: metrics.gather(),
            store_metrics,
            readiness: ready,
            health: health_of(&engines),
            settings: Arc::new(api_settings(&config)?),
        };
        let place = Arc::new(Workplace {
            store: store.clone(),
            queue: queue.clone(),
            leases,
            agents,
            tools: ToolClient::new(),
            metrics: WorkerMetrics::register(metrics.process()).map_err(declared_twice)?,
            settings: worker_settings(&config),
        });
        let manager = PoolManager::new(place, ProcessId::new(), pool_limits(&config));
        let pool = Service::start(|stop| manager.run(stop, GRACE));
        let router = core_api::router(state);
        doors.push(Service::start(|stop| async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
                tracing::error!(%error, "the REST interface ended");
            }
        }));
        readiness.send_replace(Readiness::Ready);
        info!(%address, "ready");
        let engines = engines.into_values().collect();
        Ok(Server { address, readiness, engines, store, queue, pool, upkeep, doors })
    }

    /// Where the REST interface listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing new ▸ finishes or releases what runs ▸ stops the engines ▸ closes the store.
    pub(crate) async fn stop(self) {
        self.readiness.send_replace(Readiness::Draining);
        self.pool.stop().await;
        self.queue.close().await;
        for engine in &self.engines {
            engine.handle().stop().await;
        }
        for service in self.upkeep {
            service.stop().await;
        }
        // Ends the streams of those who wait for changes, so that the doors can close.
        self.store.close().await;
        for door in self.doors {
            door.stop().await;
        }
        info!("stopped");
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| {
        Failure::unavailable(format!(
            "{listen} cannot be listened on ({error}); stop what uses it, or choose another address with --listen or \
             server.listen"
        ))
    })
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| Failure::unavailable(format!("the listener has no address: {error}")))
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

async fn start_toolserver() -> Result<(Service, SocketAddr), Failure> {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let at = local_address(&listener)?;
    let service = Service::start(|stop| async move {
        let served = toolserver::serve(listener, toolserver::Options::default(), stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the embedded tool server ended");
        }
    });
    info!(address = %at, "embedded tool server");
    Ok((service, at))
}

/// Agents' files keep the address of the reference tools; where they are embedded, that name leads here.
fn point_at(specs: &mut [AgentSpec], toolserver: SocketAddr) {
    let known_as = format!("http://{TOOLSERVER_HOST}:9001");
    for tool in specs.iter_mut().flat_map(|spec| &mut spec.tools) {
        if let Some(path) = tool.endpoint.strip_prefix(&known_as) {
            tool.endpoint = format!("http://{toolserver}{path}");
        }
    }
}

/// Loads every model that `talon.yml` names, each with an engine of its own.
async fn load_models(config: &TalonConfig, metrics: &Metrics) -> Result<BTreeMap<String, ChatModel>, Failure> {
    let mut engines = BTreeMap::new();
    for spec in &config.models {
        let path = match &spec.source {
            ModelSource::Bundled => bundled::pocket_model(&config.data_dir)?,
            ModelSource::Path(path) => path.clone(),
        };
        info!(model = %spec.name, path = %path.display(), "loading");
        let loading = tokio::task::spawn_blocking(move || Model::load(path)).await;
        let model = loading
            .map_err(|error| Failure::unavailable(format!("model {} could not be loaded: {error}", spec.name)))?
            .map_err(|error| Failure::unavailable(format!("model {}: {}", spec.name, with_causes(&error))))?;
        let engine_metrics = EngineMetrics::register(&metrics.of_model(&spec.name)?).map_err(declared_twice)?;
        let engine = EngineConfig {
            max_num_seqs: config.inference.max_batch_size,
            max_num_batched_tokens: config.inference.max_batched_tokens.max(config.inference.max_batch_size),
            max_kv_tokens: config.inference.kv_cache_tokens,
            max_waiting: config.inference.max_waiting,
        };
        let engine = ChatModel::start(model, engine, engine_metrics)
            .map_err(|error| Failure::usage(format!("model {}: {error}", spec.name)))?;
        engines.insert(spec.name.clone(), engine);
    }
    Ok(engines)
}

fn bind_agents(specs: Vec<AgentSpec>, engines: &BTreeMap<String, ChatModel>) -> Result<Agents, Failure> {
    let models: BTreeMap<String, Arc<dyn Generate>> =
        engines.iter().map(|(name, engine)| (name.clone(), Arc::new(engine.clone()) as Arc<dyn Generate>)).collect();
    let mut agents: BTreeMap<AgentName, Arc<Agent>> = BTreeMap::new();
    for spec in specs {
        let agent = Agent::bind(spec, &models).map_err(|error| Failure::usage(with_causes(&error)))?;
        info!(agent = %agent.spec.name, model = %agent.spec.model, context = %agent.context, "agent ready");
        agents.insert(agent.spec.name.clone(), Arc::new(agent));
    }
    Ok(agents)
}

fn health_of(engines: &BTreeMap<String, ChatModel>) -> Health {
    let engines = engines.clone();
    Arc::new(move || {
        let stalled = engines.iter().find(|(_, engine)| engine.handle().last_step_age() > STALLED);
        match stalled {
            None => Ok(()),
            Some((name, engine)) => Err(format!(
                "the engine of model {name} has not moved for {:.0} s; restart the process",
                engine.handle().last_step_age().as_secs_f64()
            )),
        }
    })
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

fn declared_twice(error: prometheus::Error) -> Failure {
    Failure::unavailable(format!("a metric is declared twice: {error}"))
}
