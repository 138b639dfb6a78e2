//! The queue in Redis Streams, shared by every process of an installation.
//!
//! One stream per class with the group `agent-pool`; an entry is an id and is deleted when it is acknowledged, so that
//! what stands in a stream is live. A hash knows the entry of every id, so that an id waits once. All of it may be
//! lost at any moment: the relay fills it again from the store.

mod address;
mod backoff;
mod bell;
mod calls;
mod connection;
mod courier;
mod dead_letters;
mod entry;
mod errand;
mod fault;
mod intake;
mod keys;
mod metrics;
mod outstanding;
mod script;
mod server;
mod takers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::RedisError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tracing::warn;
use types::{ProcessId, TaskClass, TaskId, WorkerId};

use address::Topology;
use courier::{Answer, Courier, Event};
pub use dead_letters::{DeadLetterStream, MirroredLetter};
use fault::Fault;
pub use intake::{Intake, IntakeEntry};
pub use metrics::RedisMetrics;
use metrics::Tally;
use server::{Link, Server};

use crate::queue::{Classes, Closed, Delivery, Depth, Queue, QueueError};

/// Where the queue is and how it behaves.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`.
    pub url: String,
    /// The certificate, in PEM, of the authority that signed the server's; `None` trusts the system's authorities.
    pub authority: Option<Vec<u8>>,
    /// Who takes ids: the consumer of the groups.
    pub process: ProcessId,
    /// How long a taken id may stay unacknowledged before it is handed out again. A worker needs one store write.
    pub visibility_timeout: Duration,
    /// How long the server may take for an answer before the connection is given up.
    pub response_timeout: Duration,
    /// How long to go on trying when the server cannot be reached at the start.
    pub patience: Duration,
    /// Counts errors and reconnections.
    pub metrics: Option<RedisMetrics>,
}

impl RedisSettings {
    /// The usual settings.
    pub fn new(url: impl Into<String>, process: ProcessId) -> Self {
        RedisSettings {
            url: url.into(),
            authority: None,
            process,
            visibility_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_secs(3),
            patience: Duration::from_secs(30),
            metrics: None,
        }
    }
}

/// Why there is no queue to begin with.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is wrong; said with what it should be.
    #[error("{0}")]
    Address(String),
    /// The server refuses this user, or what the queue has to do.
    #[error(
        "Redis at {at} refuses to serve; check user and password in the URL (redis://USER:PASSWORD@HOST) and \
         what the user may do (enough is: ACL SETUSER {user} ~{{openclaw:tasks}}* ~openclaw:tasks* +@read +@write \
         +@scripting +@transaction +@connection +info +cluster)"
    )]
    Refused {
        /// Its address.
        at: String,
        /// Who asked.
        user: String,
        /// What it said.
        source: RedisError,
    },
    /// Nobody answered, or nobody that can serve.
    #[error(
        "Redis at {at} cannot be used (tried for {} s); start it, or correct the URL (queue.url or TALON_REDIS_URL)",
        waited.as_secs()
    )]
    Unreachable {
        /// Its address.
        at: String,
        /// For how long.
        waited: Duration,
        /// What the last attempt met.
        source: RedisError,
    },
}

/// A [`Queue`] in Redis.
#[derive(Debug)]
pub struct RedisQueue {
    events: mpsc::UnboundedSender<Event>,
    server: Arc<Server>,
    tally: Tally,
    process: ProcessId,
}

impl RedisQueue {
    /// Connects, and goes on trying for as long as the settings say.
    pub async fn connect(settings: RedisSettings) -> Result<Self, ConnectError> {
        let server = Server::new(&settings.url, settings.authority, settings.response_timeout)
            .map_err(|error| ConnectError::Address(error.to_string()))?;
        let (server, tally) = (Arc::new(server), Tally(settings.metrics));
        let link = first_link(&server, &tally, settings.patience).await?;
        // Not bounded: a worker asks for one id at a time and acknowledges it once, and who pushes waits for the answer.
        let (sender, receiver) = mpsc::unbounded_channel();
        let events = (sender.downgrade(), receiver);
        let process = settings.process.clone();
        let courier = Courier::new(
            Arc::clone(&server),
            tally.clone(),
            settings.process,
            settings.visibility_timeout,
            events,
            link,
        );
        tokio::spawn(courier.run());
        Ok(RedisQueue { events: sender, server, tally, process })
    }

    /// The stream that plain producers add tasks to. For one process at a time.
    pub fn intake(&self) -> Intake {
        Intake::new(Arc::clone(&self.server), self.tally.clone(), self.process.clone())
    }

    /// The stream that dead letters are shown in.
    pub fn dead_letters(&self) -> DeadLetterStream {
        DeadLetterStream::new(Arc::clone(&self.server), self.tally.clone())
    }

    async fn ask<T>(&self, event: impl FnOnce(Answer<T>) -> Event) -> Result<T, QueueError> {
        let (answer, answered) = oneshot::channel();
        self.events.send(event(answer)).map_err(|_| Closed)?;
        answered.await.map_err(|_| Closed)?
    }
}

async fn first_link(server: &Server, tally: &Tally, patience: Duration) -> Result<Link, ConnectError> {
    let begin = Instant::now();
    for failures in 1.. {
        let source = match server.open(tally).await {
            Ok(link) => return Ok(link),
            Err(error) => error,
        };
        tally.failed(&source);
        let (at, waited) = (server.address.to_string(), begin.elapsed());
        match (Fault::of(&source), &server.address.topology) {
            (Fault::Refused, _) => {
                return Err(ConnectError::Refused { at, user: server.address.user().to_owned(), source });
            }
            (Fault::Cluster, Topology::Node(_)) => {
                return Err(ConnectError::Address(format!(
                    "{at} is a node of a cluster and has not the queue's slot ({source}); write redis+cluster://{at}"
                )));
            }
            _ => {}
        }
        let delay = backoff::delay(failures, rand::random());
        if patience < waited + delay {
            return Err(ConnectError::Unreachable { at, waited, source });
        }
        if failures == 1 {
            warn!(%at, error = %source, "Redis cannot be used yet; trying again");
        }
        sleep(delay).await;
    }
    unreachable!("the range has no end")
}

#[async_trait]
impl Queue for RedisQueue {
    async fn push(&self, ids: &[(TaskId, TaskClass)]) -> Result<(), QueueError> {
        self.ask(|answer| Event::Push(ids.to_vec(), answer)).await
    }

    async fn take(&self, _worker: &WorkerId, classes: Classes) -> Result<Delivery, QueueError> {
        let (hand, handed) = oneshot::channel();
        self.events.send(Event::Take(classes, hand)).map_err(|_| Closed)?;
        let handed = handed.await.map_err(|_| Closed)?;
        Ok(handed.keep().ok_or(Closed)?)
    }

    async fn acknowledge(&self, delivery: Delivery) -> Result<(), QueueError> {
        Ok(self.events.send(Event::Acknowledge(delivery)).map_err(|_| Closed)?)
    }

    async fn holds(&self, ids: &[TaskId]) -> Result<Vec<bool>, QueueError> {
        self.ask(|answer| Event::Holds(ids.to_vec(), answer)).await
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.ask(Event::Depth).await
    }

    async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.events.send(Event::Close(closed)).is_ok() {
            // Closed already when this fails.
            let _ = is_closed.await;
        }
    }
}

fn unavailable(server: &Server, error: RedisError) -> QueueError {
    QueueError::Unavailable { at: server.address.to_string(), source: Box::new(error) }
}
