//! Takes possession of the file: lock, look, migrate, and only then serve.

use std::sync::Mutex;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Error};
use tokio::time::Instant;

use super::faults::Faults;
use super::lock::OwnerLock;
use super::settings::SqliteSettings;
use super::{Sqlite, SqliteStore, schema};
use crate::error::StoreError;
use crate::sql::{Limits, SqlStore};
use crate::store::{LeaseSweep, Store};

const LOSSES_AT_ONCE: u32 = 1000;

pub(crate) async fn open(settings: SqliteSettings) -> Result<SqliteStore, StoreError> {
    let faults = Faults::new(&settings.path);
    if let Some(folder) = settings.path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| faults.not_writable(&error))?;
    }
    let lock = OwnerLock::acquire(&settings.path)?;

    let options = SqliteConnectOptions::new()
        .filename(&settings.path)
        .foreign_keys(true)
        .busy_timeout(settings.busy_timeout)
        .disable_statement_logging();
    let mut connection =
        options.clone().create_if_missing(true).connect().await.map_err(faults.during("open the file"))?;
    schema::check(&mut connection, &faults).await?;
    set_up(&mut connection, &settings).await.map_err(faults.during("set up the file"))?;
    schema::migrate(&mut connection).await.map_err(faults.during("bring the schema up to date"))?;
    expire_leases(&mut connection, &settings).await.map_err(faults.during("expire old leases"))?;

    let readers = SqlitePoolOptions::new()
        .max_connections(settings.readers.max(1))
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .connect_with(options.clone().pragma("query_only", "ON"))
        .await
        .map_err(faults.during("open the file for reading"))?;

    let limits = Limits { max_queued: settings.max_queued, max_losses: settings.max_losses };
    let options = options.synchronous(SqliteSynchronous::Full);
    let sqlite = Sqlite { options, readers, faults, opened: Instant::now(), lock: Mutex::new(Some(lock)) };
    let changes = SqliteStore::channel();
    let store = SqlStore::new(sqlite, Box::new(connection), limits, settings.clock, changes, settings.metrics);
    record_losses(&store).await?;
    Ok(store)
}

async fn set_up(connection: &mut SqliteConnection, settings: &SqliteSettings) -> Result<(), Error> {
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
    if let Some(max_size_bytes) = settings.max_size_bytes {
        let page_size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *connection).await?;
        let max_pages = (max_size_bytes / page_size.max(1).unsigned_abs()).max(1);
        // A pragma takes no parameters; this is a number of ours.
        let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {max_pages}"));
        sqlx::query(pragma).execute(connection).await?;
    }
    Ok(())
}

/// At once, so that tasks do not wait for what a sweep has to spare where there are other processes.
async fn record_losses(store: &SqliteStore) -> Result<(), StoreError> {
    loop {
        match store.sweep(LOSSES_AT_ONCE, LeaseSweep::Expire).await {
            Ok(swept) if 0 < swept.expired => {}
            Ok(_) => return Ok(()),
            Err(error) if error.is_passing() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// The file has one owner, and it has just begun: whoever held a lease is gone.
async fn expire_leases(connection: &mut SqliteConnection, settings: &SqliteSettings) -> Result<(), Error> {
    sqlx::query("UPDATE tasks SET lease_until = $1 WHERE state = 'running' AND $1 < lease_until")
        .bind(settings.clock.now().as_millis())
        .execute(connection)
        .await?;
    Ok(())
}
