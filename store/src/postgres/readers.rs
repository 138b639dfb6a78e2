//! The connections that read. When one of them has gone silent the others are not asked whether they have: all are made
//! anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Error, PgPool};
use tokio::time::Instant;

use super::connection::Reader;

/// How long to wait for a connection; asking an idle one whether it lives is part of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// All are made anew at most once in this time: where they are only busy, more of them would not help.
const MIN_AGE: Duration = Duration::from_secs(10);

/// Connections that read.
pub(crate) struct Readers {
    options: PgConnectOptions,
    max_connections: u32,
    place: Mutex<Place>,
}

struct Place {
    pool: PgPool,
    /// When they were last made anew.
    made_anew: Option<Instant>,
}

impl Readers {
    pub(crate) fn new(options: PgConnectOptions, max_connections: u32) -> Self {
        let place = Place { pool: pool(&options, max_connections), made_anew: None };
        Readers { options, max_connections, place: Mutex::new(place) }
    }

    pub(crate) async fn acquire(&self) -> Result<Reader, Error> {
        let pool = self.place().pool.clone();
        match pool.acquire().await {
            Err(Error::PoolTimedOut) => Ok(Reader::new(self.anew().acquire().await?)),
            acquired => acquired.map(Reader::new),
        }
    }

    pub(crate) async fn close(&self) {
        let pool = self.place().pool.clone();
        // A connection that has gone silent does not close.
        let _ = tokio::time::timeout(PATIENCE, pool.close()).await;
    }

    fn anew(&self) -> PgPool {
        let mut place = self.place();
        let is_old = place.made_anew.is_none_or(|made| MIN_AGE <= made.elapsed());
        if is_old && !place.pool.is_closed() {
            *place = Place { pool: pool(&self.options, self.max_connections), made_anew: Some(Instant::now()) };
        }
        place.pool.clone()
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pool(options: &PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options.clone())
}
