//! The connections that read. When one of them has gone silent the others are not asked whether they have: all are made
//! anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Error, PgPool};

use super::connection::Reader;

/// How long to wait for a connection; asking an idle one whether it lives is part of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connections that read.
pub(crate) struct Readers {
    options: PgConnectOptions,
    max_connections: u32,
    pool: Mutex<PgPool>,
}

impl Readers {
    pub(crate) fn new(options: PgConnectOptions, max_connections: u32) -> Self {
        let pool = Mutex::new(pool(&options, max_connections));
        Readers { options, max_connections, pool }
    }

    pub(crate) async fn acquire(&self) -> Result<Reader, Error> {
        let pool = self.pool().clone();
        match pool.acquire().await {
            Err(Error::PoolTimedOut) => Ok(Reader::new(self.anew().acquire().await?)),
            acquired => acquired.map(Reader::new),
        }
    }

    pub(crate) async fn close(&self) {
        let pool = self.pool().clone();
        // A connection that has gone silent does not close.
        let _ = tokio::time::timeout(PATIENCE, pool.close()).await;
    }

    fn anew(&self) -> PgPool {
        let mut place = self.pool();
        if !place.is_closed() {
            *place = pool(&self.options, self.max_connections);
        }
        place.clone()
    }

    fn pool(&self) -> MutexGuard<'_, PgPool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pool(options: &PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options.clone())
}
