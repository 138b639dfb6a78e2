//! Reaches the server, brings the schema up to date, and only then serves.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Error};
use tracing::warn;

use super::connection::{SESSION, Session, WRITE_PATIENCE, WRITING, connect};
use super::faults::Faults;
use super::hints::Hints;
use super::leader::Candidate;
use super::readers::Readers;
use super::settings::PostgresSettings;
use super::time::ServerTime;
use super::{Postgres, PostgresStore, schema};
use crate::error::StoreError;
use crate::sql::{Limits, Sql, SqlStore, query};

/// A migration may take its time, and waits for that of another process.
const MIGRATING: [(&str, &str); 2] = [("statement_timeout", "0"), ("lock_timeout", "300s")];

pub(crate) async fn open(settings: PostgresSettings) -> Result<PostgresStore, StoreError> {
    let options = PgConnectOptions::from_str(&settings.url)
        .map_err(|error| Faults::new("the database's URL".to_owned()).during("understand its URL", error))?
        .application_name("talon")
        .statement_cache_capacity(500)
        .disable_statement_logging()
        .options(SESSION);
    let faults = Faults::new(at(&options));

    let migrating = options.clone().options(MIGRATING);
    let mut connection = connect(&migrating, settings.connect_timeout).await.map_err(|error| {
        faults.during("let this process in; see the user, the password and the database's name", error)
    })?;
    schema::check(&mut connection, &faults).await?;
    schema::migrate(&mut connection).await.map_err(|error| faults.during("bring the schema up to date", error))?;
    warn_of_losses(&mut connection).await.map_err(|error| faults.during("tell its settings", error))?;
    // What follows opens connections of its own.
    let _ = connection.close().await;

    let writing = options.clone().options(WRITING);
    let writer = Session::open(&writing, settings.connect_timeout, WRITE_PATIENCE).await;
    let mut writer = writer.map_err(|error| faults.during("open a connection to write", error))?;
    let time = ServerTime::default();
    time.measure(&mut writer).await.map_err(|error| faults.during("tell the time", error))?;
    let readers = Arc::new(Readers::new(options.clone(), settings.readers));

    let changes = PostgresStore::channel();
    let postgres = Postgres {
        hints: Hints::spawn(options.clone(), Arc::clone(&readers), changes.clone(), time.clone()),
        candidate: Candidate::new(options),
        writing,
        readers,
        faults,
        time: time.clone(),
    };
    let limits = Limits { max_queued: settings.max_queued, max_losses: settings.max_losses };
    Ok(SqlStore::new(postgres, Box::new(writer), limits, time.clock(settings.clock), changes, settings.metrics))
}

/// Host, port and database, without credentials.
fn at(options: &PgConnectOptions) -> String {
    let host = options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    format!("PostgreSQL at {host}:{}/{database}", options.get_port())
}

/// What was accepted is lost in a power failure unless the server writes it to disk first.
async fn warn_of_losses(connection: &mut PgConnection) -> Result<(), Error> {
    let settings = query(
        "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'",
    );
    for row in connection.rows(settings).await? {
        let setting: String = row.get("name")?;
        warn!(setting, "is off on the server: what was accepted may be lost when it fails; switch it on");
    }
    Ok(())
}
