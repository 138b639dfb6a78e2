//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::output::say;

/// Wrappers such as `timeout` signal the process and its group: that is one request, not two.
const SAME_REQUEST: Duration = Duration::from_millis(200);

/// Cancelled at the first signal. At the second the process ends with code 130; leases then expire by themselves.
pub(crate) fn shutdown_requested() -> Result<CancellationToken, Failure> {
    let unavailable = |error| Failure::unavailable(format!("signals cannot be received: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
    let token = CancellationToken::new();
    let requested = token.clone();
    tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match first {
                None => {
                    first = Some(Instant::now());
                    requested.cancel();
                    say("ending: what runs is finished or given back; once more to end at once");
                }
                Some(first) if first.elapsed() < SAME_REQUEST => {}
                Some(_) => {
                    say("ended at once; what was running is taken up again at the next start");
                    std::process::exit(130);
                }
            }
        }
    });
    Ok(token)
}
