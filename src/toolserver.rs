//! `talon toolserver`: the reference tools as a program of their own.

use crate::cli::ToolserverArgs;
use crate::failure::Failure;
use crate::output::say;
use crate::serve::bind;
use crate::{logging, signals};

pub(crate) async fn run(arguments: ToolserverArgs) -> Result<(), Failure> {
    logging::start(&config::TalonConfig::default().log);
    let shutdown = signals::shutdown_requested()?;
    let (listener, address) = bind(arguments.listen, "--listen").await?;
    say(format_args!("tool server on http://{address} (Ctrl-C ends it)"));
    toolserver::serve(listener, toolserver::Options::default(), shutdown.cancelled_owned())
        .await
        .map_err(|error| Failure::unavailable(format!("the tool server ended: {error}")))
}
