//! The store in one SQLite file, owned by one process.
//!
//! One connection writes and a few read (WAL, `synchronous=FULL`).

mod faults;
mod lock;
mod opening;
mod schema;
mod settings;

use std::sync::Mutex;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Error, SqlitePool};
use tokio::time::Instant;

use crate::change::Change;
use crate::controls::Leadership;
use crate::error::StoreError;
use crate::sql::{Backend, SessionId, Sql, SqlStore, Writing};
use faults::Faults;
use lock::OwnerLock;
pub use settings::SqliteSettings;

/// The embedded [`Store`](crate::Store).
pub type SqliteStore = SqlStore<Sqlite>;

/// One file, and the right to it.
pub struct Sqlite {
    options: SqliteConnectOptions,
    readers: SqlitePool,
    faults: Faults,
    opened: Instant,
    /// Let go of after the last connection.
    lock: Mutex<Option<OwnerLock>>,
}

impl SqlStore<Sqlite> {
    /// Opens the file, or makes it, and brings its schema up to date. The process owns it until [`Store::close`].
    ///
    /// Whoever held leases in an earlier process is gone, so those have expired.
    ///
    /// [`Store::close`]: crate::Store::close
    pub async fn open(settings: SqliteSettings) -> Result<Self, StoreError> {
        opening::open(settings).await
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn reader(&self) -> Result<Box<dyn Sql>, Error> {
        Ok(Box::new(self.readers.acquire().await?))
    }

    async fn writer(&self) -> Result<Box<dyn Writing>, Error> {
        Ok(Box::new(self.options.connect().await?))
    }

    fn fault(&self, doing: &'static str, error: Error) -> StoreError {
        self.faults.during(doing)(error)
    }

    fn is_lost(&self, _: &Error) -> bool {
        false
    }

    fn is_busy(&self, error: &Error) -> bool {
        faults::is_busy(error)
    }

    fn is_conflict(&self, _: &Error) -> bool {
        false
    }

    async fn lead(&self) -> Result<Leadership, Error> {
        Ok(Leadership::Leader { since_connect: self.opened })
    }

    fn committed(&self, _: &[Change]) {}

    async fn close(&self) {
        self.readers.close().await;
    }

    async fn released(&self) {
        self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}

#[async_trait]
impl Writing for SqliteConnection {
    fn session(&self) -> SessionId {
        SessionId::default()
    }

    async fn outlive(&mut self, _: &SessionId) -> Result<(), Error> {
        Ok(())
    }

    async fn close(self: Box<Self>) {
        // What is not in the main file yet is in the log beside it, and found there at the next start.
        let _ = Connection::close(*self).await;
    }
}
