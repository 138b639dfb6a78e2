//! A part of the process that runs until it is told to stop. One that ends by itself raises the alarm: a server without
//! workers or without its relay must not look alive.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// A running part; told to stop when dropped.
pub(crate) struct Service {
    name: &'static str,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

/// Notices the part's end, whether it returns or panics.
struct Watch {
    name: &'static str,
    stop: CancellationToken,
    alarm: CancellationToken,
}

impl Service {
    /// Starts a part that ends when its token is cancelled; `alarm` is cancelled when it ends before.
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        alarm: &CancellationToken,
        run: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let stop = CancellationToken::new();
        let watch = Watch { name, stop: stop.clone(), alarm: alarm.clone() };
        let running = run(stop.clone());
        let ended = tokio::spawn(async move {
            let _watch = watch;
            running.await;
        });
        Service { name, stop, ended }
    }

    /// Tells it to stop and waits for its end, but no longer than `patience`.
    pub(crate) async fn stop(mut self, patience: Duration) {
        self.stop.cancel();
        match tokio::time::timeout(patience, &mut self.ended).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(part = self.name, %error, "a part of the process had died"),
            Err(_) => {
                warn!(part = self.name, "did not end in time and is cut off");
                self.ended.abort();
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            error!(part = self.name, "a part of the process ended by itself");
            self.alarm.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_dies_raises_the_alarm_and_one_that_is_stopped_does_not() {
        let alarm = CancellationToken::new();
        let obedient = Service::start("obedient", &alarm, CancellationToken::cancelled_owned);
        obedient.stop(Duration::from_secs(60)).await;
        assert!(!alarm.is_cancelled());
        let _dying = Service::start("dying", &alarm, |_| async { panic!("as the test wants") });
        alarm.cancelled().await;
    }

    #[tokio::test]
    async fn a_part_that_does_not_listen_is_cut_off() {
        let stubborn = Service::start("stubborn", &CancellationToken::new(), |_| std::future::pending());
        stubborn.stop(Duration::ZERO).await;
    }
}
