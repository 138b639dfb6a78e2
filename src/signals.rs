//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Cancelled at the first signal. At the second the process ends with code 130; leases then expire by themselves.
pub(crate) fn shutdown_requested() -> Result<CancellationToken, Failure> {
    let unavailable = |error| Failure::unavailable(format!("signals cannot be received: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
    let token = CancellationToken::new();
    let requested = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if requested.is_cancelled() {
                eprintln!("ended at once; what was running is taken up again at the next start");
                std::process::exit(130);
            }
            eprintln!("ending: running tasks are finished or given back; once more to end at once");
            requested.cancel();
        }
    });
    Ok(token)
}
