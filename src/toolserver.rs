//! `talon toolserver`: the reference tools as a program of their own.

use tokio::net::TcpListener;
use tracing::info;

use crate::cli::ToolserverArgs;
use crate::failure::Failure;
use crate::{logging, signals};

pub(crate) async fn run(arguments: ToolserverArgs) -> Result<(), Failure> {
    logging::start(&config::TalonConfig::default().log);
    let shutdown = signals::shutdown_requested()?;
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Failure::unavailable(format!(
            "{} cannot be listened on ({error}); stop what uses it, or choose another with --listen",
            arguments.listen
        ))
    })?;
    info!(address = %arguments.listen, "tool server listens");
    toolserver::serve(listener, toolserver::Options::default(), shutdown.cancelled_owned())
        .await
        .map_err(|error| Failure::unavailable(format!("the tool server ended: {error}")))
}
