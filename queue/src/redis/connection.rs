//! Whether the server can be used now, and on which connection.

use std::sync::Arc;

use redis::{RedisError, RedisResult};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::backoff;
use super::fault::Fault;
use super::metrics::Tally;
use super::server::{Link, Server};

pub(crate) struct Connection {
    server: Arc<Server>,
    tally: Tally,
    /// Or why there is none.
    link: Result<Link, RedisError>,
    /// Grows with every loss: a call that fails late says nothing about the connection that came after.
    losses: watch::Sender<u64>,
    /// In a row, since something last worked.
    failures: u32,
}

impl Connection {
    pub(crate) fn new(server: Arc<Server>, tally: Tally, link: Link) -> Self {
        Connection { server, tally, link: Ok(link), losses: watch::Sender::new(0), failures: 0 }
    }

    /// The connection, or why there is none.
    pub(crate) fn link(&self) -> Result<Link, RedisError> {
        self.link.clone()
    }

    /// How often it was lost.
    pub(crate) fn losses(&self) -> u64 {
        *self.losses.borrow()
    }

    /// Tells of losses, and of the end when the connection is dropped.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.losses.subscribe()
    }

    pub(crate) fn worked(&mut self) {
        self.failures = 0;
    }

    /// A call failed that was made after so many losses. When it shows that the server is lost, the answer is the attempt
    /// to find it again.
    pub(crate) fn failed(
        &mut self,
        losses: u64,
        error: RedisError,
    ) -> Option<impl Future<Output = RedisResult<Link>> + Send + 'static> {
        self.tally.failed(&error);
        let (fault, at) = (Fault::of(&error), &self.server.address);
        if losses != self.losses() || !fault.loses_the_server() {
            return None;
        }
        if self.failures == 0 {
            warn!(%at, kind = fault.as_str(), %error, "Redis cannot be used; tasks wait in the store");
        } else {
            debug!(%at, kind = fault.as_str(), %error, failures = self.failures, "Redis still cannot be used");
        }
        self.failures += 1;
        self.link = Err(error);
        self.losses.send_modify(|losses| *losses += 1);
        let (server, tally) = (Arc::clone(&self.server), self.tally.clone());
        let delay = backoff::delay(self.failures, rand::random());
        Some(async move {
            sleep(delay).await;
            server.open(&tally).await
        })
    }

    pub(crate) fn found(&mut self, link: Link) {
        info!(at = %self.server.address, "connected to Redis again");
        self.tally.reconnected();
        self.link = Ok(link);
    }
}
