//! What is logged, and how: to standard error, so that standard output stays for results.

use std::io::IsTerminal;

use config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;

/// Installs the subscriber; `RUST_LOG` overrides the level.
pub(crate) fn start(config: &LogConfig) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(config.level.as_str()));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        // They would go to the standard error that has just failed, and panic.
        .log_internal_errors(false);
    // Fails only when one is installed already.
    let _ = match config.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
