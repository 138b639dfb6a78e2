//! A whole Talon for one command: on a free port, in a temporary folder, gone afterwards.

use std::time::Duration;

use config::{LogLevel, TalonConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use types::ProcessRole;

use crate::client::Client;
use crate::failure::Failure;
use crate::serve::{Options, Server};
use crate::trial::{self, Case, Trial};
use crate::{logging, models, signals};

/// Nobody asks for its tasks later, so nothing is waited for.
const OPTIONS: Options = Options { role: ProcessRole::All, grace: Duration::ZERO, wait: Duration::ZERO };

/// A server of this command's own.
pub(crate) struct Alone {
    server: Server,
    client: Client,
    shutdown: CancellationToken,
    // Last: removed when all else is gone.
    _data_dir: TempDir,
}

impl Alone {
    /// Starts `config`, but on a free port, in a temporary folder, and quietly.
    pub(crate) async fn start(mut config: TalonConfig) -> Result<Self, Failure> {
        let shutdown = signals::shutdown_requested()?;
        let data_dir = tempfile::Builder::new()
            .prefix("talon-")
            .tempdir()
            .map_err(|error| Failure::unavailable(format!("no temporary folder can be made: {error}")))?;
        models::fetch(&mut config).await?;
        config.data_dir = data_dir.path().to_owned();
        config.server.listen = ([127, 0, 0, 1], 0).into();
        config.log.level = LogLevel::Warn;
        logging::start(&config.log);
        let server = tokio::select! {
            server = Server::start(config, OPTIONS) => server?,
            () = shutdown.cancelled() => return Err(interrupted()),
        };
        let client = Client::new(&server.url())?;
        Ok(Alone { server, client, shutdown, _data_dir: data_dir })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Runs all cases, unless it is interrupted.
    pub(crate) async fn run(&self, cases: Vec<Case>) -> Result<Trial, Failure> {
        tokio::select! {
            trial = trial::run(&self.client, cases) => trial,
            () = self.shutdown.cancelled() => Err(interrupted()),
        }
    }

    /// Serves on until it is told to end.
    pub(crate) async fn keep(&self) -> Result<(), Failure> {
        self.server.until(&self.shutdown).await
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

fn interrupted() -> Failure {
    Failure::interrupted("interrupted")
}
