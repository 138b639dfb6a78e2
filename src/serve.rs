//! The composition root: everything that makes a Talon, in the order of its start, and stopped in the reverse order.

mod api;
mod openai;
mod patience;
mod site;
mod tasks;
mod toolserver;
mod work;

use std::net::SocketAddr;
use std::time::Duration;

use config::{Exposed, TalonConfig};
use core_api::Readiness;
use store::{Relay, RelaySettings};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;
use types::ProcessId;

use crate::cli::ServeArgs;
use crate::door::Door;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::output::say;
use crate::service::Service;
use crate::{agent, configuration, logging, models, signals};
pub(crate) use patience::Patience;
use site::Site;
pub(crate) use site::bind;
use tasks::Tasks;

/// Running tasks get this long to finish at shutdown; then they are released and run again. With what follows it is
/// below the 10 s after which `docker stop` kills.
const GRACE: Duration = Duration::from_secs(8);
/// Any other part gets this long to end, such as the REST interface with a caller who reads slowly.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(arguments: ServeArgs) -> Result<(), Failure> {
    let mut config = configuration::load(arguments.config.as_deref())?;
    if let Some(listen) = arguments.listen {
        config.server.listen = listen;
        let refused = |exposed| Failure::usage(format!("--listen is {exposed}; {}", Exposed::HINT));
        config.server.check_exposure().map_err(refused)?;
    }
    logging::start(&config.log);
    let options = Options { grace: GRACE, wait: Duration::from_secs(arguments.wait.into()) };
    let shutdown = signals::shutdown_requested()?;
    let server = tokio::select! {
        server = Server::start(config, options) => server?,
        () = shutdown.cancelled() => return Err(Failure::interrupted("interrupted before it was ready")),
    };
    say(format_args!("talon serves on {} (Ctrl-C ends it)", server.url()));
    let ended = server.until(&shutdown).await;
    server.stop().await;
    ended
}

/// How a process runs, beside its configuration.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// Running tasks get this long to finish at its end.
    pub(crate) grace: Duration,
    /// A server that is away at its start is waited for this long.
    pub(crate) wait: Duration,
}

/// A whole Talon in this process.
pub(crate) struct Server {
    address: SocketAddr,
    readiness: watch::Sender<Readiness>,
    alarm: CancellationToken,
    engines: Vec<Service>,
    tasks: Tasks,
    pool: Service,
    /// How long the pool may take to end.
    grace: Duration,
    upkeep: Vec<Service>,
    doors: Vec<Service>,
}

impl Server {
    /// Starts everything, or says what keeps it from starting.
    pub(crate) async fn start(config: TalonConfig, options: Options) -> Result<Server, Failure> {
        let mut specs = configuration::load_agents(&config)?;
        // Bound first: a port in use is known at once, not after minutes of loading.
        let (listener, address) = bind(config.server.listen, "--listen or server.listen").await?;
        let alarm = CancellationToken::new();
        let door = Door::open(listener, address, &alarm);
        let patience = Patience::new(options.wait, door.awaited().clone());
        let site = Site { config, process: ProcessId::new(), alarm, metrics: Metrics::new(), patience };

        let tasks = Tasks::open(&site).await?;
        let mut doors: Vec<Service> = toolserver::start(&site, &mut specs).await?.into_iter().collect();
        let models = models::load(&site.config, &site.metrics, &site.patience).await?;
        let engines = models::keep(&models.engines, &site.alarm);
        let agents = work::bind_agents(specs, &models)?;
        let relay = Relay::new(tasks.store.clone(), tasks.queue.clone(), RelaySettings::default());
        let relay = Service::start("relay", &site.alarm, |stop| relay.run(stop.cancelled_owned()));

        let (readiness, ready) = watch::channel(Readiness::Ready);
        let views = agents.iter().map(|(name, it)| (name.clone(), agent::view(&it.spec, it.context.tokens))).collect();
        let state = api::state(&site, &tasks, views, models::health(&models.engines), ready)?;
        let work = work::start(&site, &tasks, agents, options.grace)?;
        let router = core_api::router_beside(state, openai::router(&site, models.engines));
        doors.push(door.lead_to(router));
        info!(%address, "ready");
        let upkeep = vec![work.leases, relay];
        Ok(Server {
            address,
            readiness,
            alarm: site.alarm,
            engines,
            tasks,
            pool: work.pool,
            grace: options.grace,
            upkeep,
            doors,
        })
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
        self.tasks.queue.close().await;
        for engine in self.engines {
            // One that stands still ends with the process.
            engine.stop(PATIENCE).await;
        }
        // Ends the streams of those who wait for changes, so that the doors can close.
        self.tasks.store.close().await;
        for door in self.doors {
            door.stop(PATIENCE).await;
        }
        info!("stopped");
    }
}
