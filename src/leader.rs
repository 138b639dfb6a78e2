//! What one process of an installation does for all: the one that leads. Each duty may be repeated, so that nothing is
//! lost when the lead changes hands in the middle of one.

pub(crate) mod intake;
pub(crate) mod mirror;
pub(crate) mod prune;
pub(crate) mod webhooks;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between two tries of what fails; from then on twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Between two tries at most.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// What keeps a duty from being done; the next try may do it.
pub(crate) type Trouble = Box<dyn Error + Send + Sync>;

/// Something to be done again and again.
pub(crate) trait Duty: Send + 'static {
    /// What it is, for the log.
    const NAME: &'static str;
    /// Between two looks when nothing is to be done.
    const PAUSE: Duration;

    /// Does a part of what is to be done, if anything is.
    fn once(&mut self) -> impl Future<Output = Result<Progress, Trouble>> + Send;
}

/// What is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There may be more.
    More,
    /// Nothing for now.
    Done,
}

/// Does a duty while this process leads, until `stop`.
pub(crate) async fn while_leading<D: Duty>(mut duty: D, mut leading: watch::Receiver<bool>, stop: CancellationToken) {
    let mut troubled: Option<Duration> = None;
    let work = async {
        // Nobody tells any more who leads when the relay has ended, as it does before this.
        while leading.wait_for(|leads| *leads).await.is_ok() {
            let pause = match duty.once().await {
                Ok(progress) => {
                    if troubled.take().is_some() {
                        info!(duty = D::NAME, "done again");
                    }
                    if progress == Progress::More { Duration::ZERO } else { D::PAUSE }
                }
                Err(error) => {
                    if troubled.is_none() {
                        warn!(duty = D::NAME, %error, "not done; trying again");
                    }
                    *troubled.insert(troubled.map_or(FIRST_PAUSE, |pause| MAX_PAUSE.min(pause * 2)))
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => stop.cancelled().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// Fails, has more to do, and is done, in turn.
    struct Counting(u32, mpsc::UnboundedSender<u32>);

    impl Duty for Counting {
        const NAME: &'static str = "counting";
        const PAUSE: Duration = Duration::from_secs(3600);

        async fn once(&mut self) -> Result<Progress, Trouble> {
            self.0 += 1;
            self.1.send(self.0)?;
            match self.0 % 3 {
                1 => Err("as the test wants".into()),
                2 => Ok(Progress::More),
                _ => Ok(Progress::Done),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_duty_is_done_by_who_leads_and_again_after_a_failure() {
        let (leads, leading) = watch::channel(false);
        let (sender, mut counted) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let running = tokio::spawn(while_leading(Counting(0, sender), leading, stop.clone()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(counted.try_recv().is_err(), "it does not lead yet");
        leads.send_replace(true);
        for expected in 1..=6 {
            assert_eq!(counted.recv().await, Some(expected));
        }
        leads.send_replace(false);
        tokio::time::sleep(2 * Counting::PAUSE).await;
        assert!(counted.try_recv().is_err(), "it does not lead any more");
        stop.cancel();
        running.await.expect("ended in order");
    }
}
