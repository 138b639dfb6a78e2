//! What is logged, and how: to standard error, so that standard output stays for results.

use config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;

/// Installs the subscriber; `RUST_LOG` overrides the level.
pub(crate) fn start(config: &LogConfig) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(config.level.as_str()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails only when one is installed already.
    let _ = match config.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
