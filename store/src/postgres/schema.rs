//! The schema's versions.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{Error, SqlStr};

use super::faults::Faults;
use crate::error::StoreError;
use crate::sql::{Sql, query};

/// Every version, oldest first. One that was released is never edited: the next one changes what it made.
const VERSIONS: [(i64, &str, &str); 1] = [(1, "tasks", include_str!("../../migrations/postgres/0001_tasks.sql"))];

/// Refuses a schema that a later version of this program has made.
pub(crate) async fn check(connection: &mut PgConnection, faults: &Faults) -> Result<(), StoreError> {
    let found = version(connection).await.map_err(|error| faults.during("read the schema version", error))?;
    let supported = VERSIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    if supported < found { Err(faults.newer_schema(found, supported)) } else { Ok(()) }
}

async fn version(connection: &mut PgConnection) -> Result<i64, Error> {
    let exists = connection.rows(query("SELECT COUNT(to_regclass('_sqlx_migrations')) AS tables")).await?;
    if exists.first().map(|row| row.get::<i64>("tables")).transpose()? != Some(1) {
        return Ok(0);
    }
    let latest = connection.rows(query("SELECT COALESCE(MAX(version), 0) AS latest FROM _sqlx_migrations")).await?;
    latest.first().ok_or(Error::RowNotFound)?.get("latest")
}

/// Brings the database up to date, under an advisory lock: of several processes one does it and the others wait.
pub(crate) async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
    let versions = VERSIONS.map(|(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    let migrator = Migrator::with_migrations(versions.into());
    migrator.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => Error::Migrate(Box::new(other)),
    })
}
