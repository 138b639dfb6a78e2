//! Waits for servers that are away when the process starts: bounded, further and further apart, and said to callers.

use std::error::Error;
use std::fmt::Display;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::door::{Awaited, Awaiting};
use crate::failure::{Failure, with_causes};

/// Between the first two tries; from then on twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Between two tries at most.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How long servers are waited for, each of them.
pub(crate) struct Patience {
    limit: Duration,
    awaited: Awaited,
}

impl Patience {
    pub(super) fn new(limit: Duration, awaited: Awaited) -> Self {
        Patience { limit, awaited }
    }

    /// How long a server is waited for.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Callers are told that the server at `at` is waited for, until the answer is dropped.
    pub(super) fn awaits(&self, at: impl Display) -> Awaiting {
        self.awaited.now(format!("{at} is waited for"))
    }

    /// Tries until it works, fails for good, or the time is up. `at` is the server's address without a password.
    pub(crate) async fn until_there<T, E: Error>(
        &self,
        at: &str,
        is_passing: impl Fn(&E) -> bool,
        attempt: impl AsyncFn() -> Result<T, E>,
    ) -> Result<T, Failure> {
        let (began, mut pause, mut told) = (Instant::now(), FIRST_PAUSE, None);
        loop {
            let error = match attempt().await {
                Ok(there) => return Ok(there),
                Err(error) => error,
            };
            let waited = began.elapsed();
            if !is_passing(&error) {
                return Err(Failure::unavailable(with_causes(&error)));
            }
            if self.limit <= waited + pause {
                let seconds = waited.as_secs_f64();
                let hint = "--wait says how long it is waited for";
                return Err(Failure::unavailable(format!(
                    "{}; given up after {seconds:.0} s ({hint})",
                    with_causes(&error)
                )));
            }
            told.get_or_insert_with(|| {
                warn!(at, error = with_causes(&error), "a server is away; waiting for it");
                self.awaits(at)
            });
            tokio::time::sleep(pause).await;
            pause = MAX_PAUSE.min(pause * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use super::*;

    async fn tries(limit: Duration, is_passing: bool, works_at: u32) -> (u32, bool) {
        let (tries, patience) = (Cell::new(0), Patience::new(limit, Awaited::new()));
        let attempt = async || {
            tries.set(tries.get() + 1);
            if tries.get() == works_at { Ok(()) } else { Err(io::Error::other("away")) }
        };
        let there = patience.until_there("redis://cache", |_| is_passing, attempt).await.is_ok();
        (tries.get(), there)
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_time_is_waited_for() {
        assert_eq!(tries(Duration::MAX, true, 20).await, (20, true));
    }

    #[tokio::test]
    async fn what_does_not_come_is_given_up() {
        assert_eq!(tries(Duration::ZERO, true, 2).await, (1, false));
    }

    #[tokio::test]
    async fn what_does_not_pass_is_not_waited_for() {
        assert_eq!(tries(Duration::MAX, false, 2).await, (1, false));
    }
}
