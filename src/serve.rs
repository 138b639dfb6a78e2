//! The composition root: everything that makes a Talon, in the order of its start, and stopped in the reverse order.

mod api;
mod engine;
mod openai;
mod parts;
mod patience;
mod role;
mod site;
mod tasks;
mod toolserver;
mod upkeep;
mod work;

use std::net::SocketAddr;
use std::time::Duration;

use config::{Exposed, TalonConfig};
use core_api::Readiness;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;
use types::{ProcessId, ProcessRole};

use crate::cli::ServeArgs;
use crate::door::Door;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::output::say;
use crate::service::Service;
use crate::{configuration, logging, signals};
use parts::Parts;
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
    let wait = Duration::from_secs(arguments.wait.into());
    let options = Options { role: arguments.role, grace: GRACE, wait };
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
    /// Which parts it runs.
    pub(crate) role: ProcessRole,
    /// Running tasks get this long to finish at its end.
    pub(crate) grace: Duration,
    /// A server that is away at its start is waited for this long.
    pub(crate) wait: Duration,
}

/// The parts of a Talon that run in this process.
pub(crate) struct Server {
    address: SocketAddr,
    readiness: watch::Sender<Readiness>,
    alarm: CancellationToken,
    engines: Vec<Service>,
    /// None in the engine's role.
    tasks: Option<Tasks>,
    pool: Option<Service>,
    /// How long the pool may take to end.
    grace: Duration,
    upkeep: Vec<Service>,
    doors: Vec<Service>,
}

impl Server {
    /// Starts every part of the role, or says what keeps it from starting.
    pub(crate) async fn start(config: TalonConfig, options: Options) -> Result<Server, Failure> {
        let Options { role, grace, wait } = options;
        role::check(&config, role).map_err(Failure::usage)?;
        let specs = if role == ProcessRole::Engine { Vec::new() } else { configuration::load_agents(&config)? };
        // Bound first: a port in use is known at once, not after minutes of loading.
        let (listener, address) = bind(config.server.listen, "--listen or server.listen").await?;
        let alarm = CancellationToken::new();
        let door = Door::open(listener, address, &alarm);
        let patience = Patience::new(wait, door.awaited().clone());
        let site = Site { config, role, process: ProcessId::new(), alarm, metrics: Metrics::new(), patience };
        let (readiness, ready) = watch::channel(Readiness::Ready);

        let parts = match role {
            ProcessRole::All | ProcessRole::Worker => Parts::working(&site, specs, ready, grace).await?,
            ProcessRole::Api => Parts::api(&site, &specs, ready).await?,
            ProcessRole::Engine => Parts::engine(&site, ready).await?,
        };
        let Parts { router, tasks, engines, pool, upkeep, mut doors } = parts;
        doors.push(door.lead_to(router));
        info!(%address, %role, "ready");
        Ok(Server { address, readiness, alarm: site.alarm, engines, tasks, pool, grace, upkeep, doors })
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
        if let Some(pool) = self.pool {
            pool.stop(self.grace + PATIENCE).await;
        }
        for service in self.upkeep {
            service.stop(PATIENCE).await;
        }
        if let Some(tasks) = &self.tasks {
            tasks.queue.close().await;
        }
        for engine in self.engines {
            // One that stands still ends with the process.
            engine.stop(PATIENCE).await;
        }
        // Ends the streams of those who wait for changes, so that the doors can close.
        if let Some(tasks) = &self.tasks {
            tasks.store.close().await;
        }
        for door in self.doors {
            door.stop(PATIENCE).await;
        }
        info!("stopped");
    }
}
