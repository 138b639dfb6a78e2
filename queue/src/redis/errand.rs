//! A connection for one purpose, made when it is needed and made anew after a failure.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;

use super::metrics::Tally;
use super::server::{Link, Server};
use super::unavailable;
use crate::queue::QueueError;

/// Longest wait of a command on such a connection.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) server: Arc<Server>,
    pub(crate) tally: Tally,
    link: Option<Link>,
}

impl Errand {
    pub(crate) fn new(server: Arc<Server>, tally: Tally) -> Self {
        Errand { server, tally, link: None }
    }

    pub(crate) async fn link(&mut self) -> Result<Link, QueueError> {
        if let Some(link) = &self.link {
            return Ok(link.clone());
        }
        match self.server.connect_to_wait(WAIT).await {
            Ok(link) => Ok(self.link.insert(link).clone()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// What the failure of a call means. The next call has a new connection.
    pub(crate) fn failed(&mut self, error: RedisError) -> QueueError {
        self.tally.failed(&error);
        self.link = None;
        unavailable(&self.server, error)
    }
}
