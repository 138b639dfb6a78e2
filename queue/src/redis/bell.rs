//! Wakes the process when ids wait, without asking again and again: one connection blocks on a key that a push rings.
//!
//! A ring wakes one process of all, and that one rings again when it leaves something. A process that dies between the two
//! loses a ring; so every bell also comes back by itself after a while.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep;

use super::backoff;
use super::courier::Event;
use super::metrics::Tally;
use super::server::{Link, Server};

/// After this long a bell comes back though nobody rang.
const PATIENCE: Duration = Duration::from_secs(3);

/// The ear of one bell.
#[derive(Debug)]
pub(crate) struct Bell {
    listen: Arc<Notify>,
    is_listening: bool,
}

impl Bell {
    /// Its task says `event` each time it has listened, and ends with the queue. `lost` tells of a server that is gone.
    pub(crate) fn hang(
        server: Arc<Server>,
        tally: Tally,
        key: &'static str,
        events: mpsc::WeakUnboundedSender<Event>,
        event: fn() -> Event,
        lost: watch::Receiver<u64>,
    ) -> Self {
        let listen = Arc::new(Notify::new());
        let ear = Ear { server, tally, key, events, event, lost, listen: Arc::clone(&listen) };
        tokio::spawn(ear.run());
        Bell { listen, is_listening: false }
    }

    /// Listens until it rings, unless it does so already.
    pub(crate) fn listen(&mut self) {
        if !self.is_listening {
            self.is_listening = true;
            self.listen.notify_one();
        }
    }

    pub(crate) fn rang(&mut self) {
        self.is_listening = false;
    }
}

struct Ear {
    server: Arc<Server>,
    tally: Tally,
    key: &'static str,
    events: mpsc::WeakUnboundedSender<Event>,
    event: fn() -> Event,
    lost: watch::Receiver<u64>,
    listen: Arc<Notify>,
}

impl Ear {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            self.lost.borrow_and_update();
            let heard = match self.server.connect_to_wait(PATIENCE).await {
                Ok(link) => self.listen_on(link, &mut failures).await,
                Err(error) => Err(error),
            };
            match heard {
                Ok(Then::Reconnect) => {}
                Ok(Then::End) => return,
                Err(error) => {
                    self.tally.failed(&error);
                    failures += 1;
                    sleep(backoff::delay(failures, rand::random())).await;
                }
            }
            // What rang meanwhile was not heard.
            if self.tell().is_none() {
                return;
            }
        }
    }

    async fn listen_on(&mut self, mut link: Link, failures: &mut u32) -> RedisResult<Then> {
        loop {
            tokio::select! {
                () = self.listen.notified() => {}
                gone = self.lost.changed() => return Ok(if gone.is_ok() { Then::Reconnect } else { Then::End }),
            }
            let mut wait = redis::cmd("BZPOPMIN");
            wait.arg(self.key).arg(PATIENCE.as_secs_f64());
            tokio::select! {
                rung = wait.query_async::<redis::Value>(&mut link) => rung?,
                gone = self.lost.changed() => return Ok(if gone.is_ok() { Then::Reconnect } else { Then::End }),
            };
            *failures = 0;
            if self.tell().is_none() {
                return Ok(Then::End);
            }
        }
    }

    /// `None` when the queue is gone.
    fn tell(&self) -> Option<()> {
        self.events.upgrade()?.send((self.event)()).ok()
    }
}

enum Then {
    Reconnect,
    End,
}
