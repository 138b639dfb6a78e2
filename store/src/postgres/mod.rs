//! The store in PostgreSQL, shared by any number of processes.
//!
//! A process has one connection that writes, a few that read, one that listens to what others commit, and one that holds
//! the leader's lock. Each lost one is made anew; a commit that was cut off is looked up by the next one that writes, and is done
//! again where it was not done. Where it cannot be looked up, the answer is `Unavailable`.

mod connection;
mod faults;
mod hints;
mod leader;
mod opening;
mod readers;
mod schema;
mod settings;
mod time;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Error;
use sqlx::postgres::PgConnectOptions;

use crate::change::Change;
use crate::controls::Leadership;
use crate::error::StoreError;
use crate::sql::{Backend, Sql, SqlStore, Writing};
use connection::{Session, WRITE_PATIENCE};
use faults::Faults;
use hints::Hints;
use leader::Candidate;
use readers::Readers;
pub use settings::PostgresSettings;
use time::ServerTime;

/// The shared [`Store`](crate::Store).
pub type PostgresStore = SqlStore<Postgres>;

/// A server that is being restarted is waited for; one that stays away is a fault that callers hear of.
const RECONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// One database on a server.
pub struct Postgres {
    writing: PgConnectOptions,
    readers: Arc<Readers>,
    hints: Hints,
    candidate: Candidate,
    faults: Faults,
    time: ServerTime,
}

impl SqlStore<Postgres> {
    /// Connects within the timeout and brings the schema up to date, one process at a time.
    pub async fn open(settings: PostgresSettings) -> Result<Self, StoreError> {
        opening::open(settings).await
    }
}

#[async_trait]
impl Backend for Postgres {
    async fn reader(&self) -> Result<Box<dyn Sql>, Error> {
        Ok(Box::new(self.readers.acquire().await?))
    }

    async fn writer(&self) -> Result<Box<dyn Writing>, Error> {
        let mut session = Session::open(&self.writing, RECONNECT_PATIENCE, WRITE_PATIENCE).await?;
        self.time.measure(&mut session).await?;
        Ok(Box::new(session))
    }

    fn fault(&self, doing: &'static str, error: Error) -> StoreError {
        self.faults.during(doing, error)
    }

    fn is_lost(&self, error: &Error) -> bool {
        faults::is_lost(error)
    }

    fn is_busy(&self, error: &Error) -> bool {
        faults::is_busy(error)
    }

    fn is_conflict(&self, error: &Error) -> bool {
        faults::is_conflict(error)
    }

    async fn lead(&self) -> Result<Leadership, Error> {
        self.candidate.lead().await
    }

    fn committed(&self, changes: &[Change]) {
        self.hints.tell(changes);
    }

    async fn close(&self) {
        self.candidate.close().await;
        self.hints.close();
        self.readers.close().await;
    }

    async fn released(&self) {}
}
