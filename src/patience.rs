//! Waits for a server that was there and is away, in the hope that it comes back: all who wait give up together.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// Between two tries, unless the server says how long.
const PAUSE: Duration = Duration::from_secs(1);

/// Shared by everything that one command asks of a server.
pub(crate) struct Patience {
    limit: Duration,
    away_since: Cell<Option<Instant>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Patience { limit, away_since: Cell::new(None) }
    }

    /// Asks until the server answers or has been away for too long. `ask` must be safe to repeat: it may have been
    /// heard when its answer was lost.
    pub(crate) async fn ask<T>(&self, ask: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
        loop {
            let pause = match ask().await {
                Err(failure) if failure.is_unavailable() => {
                    if self.limit <= self.away() {
                        return Err(failure);
                    }
                    failure.retry_after().unwrap_or(PAUSE)
                }
                answer => {
                    self.away_since.set(None);
                    return answer;
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    fn away(&self) -> Duration {
        let since = self.away_since.get().unwrap_or_else(Instant::now);
        self.away_since.set(Some(since));
        since.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_who_gives_up_spares_the_others_the_wait() {
        let patience = Patience::new(Duration::ZERO);
        let tries = Cell::new(0);
        for _ in 0..2 {
            let answer = patience
                .ask(async || {
                    tries.set(tries.get() + 1);
                    Err::<(), _>(Failure::unavailable("away"))
                })
                .await;
            assert!(answer.is_err_and(|failure| failure.is_unavailable()));
        }
        assert_eq!(tries.get(), 2);
    }

    #[tokio::test]
    async fn a_refusal_is_an_answer() {
        let patience = Patience::new(Duration::MAX);
        let answer = patience.ask(async || Err::<(), _>(Failure::refused("no"))).await;
        assert!(answer.is_err_and(|failure| !failure.is_unavailable()));
    }
}
