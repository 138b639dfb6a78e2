//! The schema's versions, and whether a file is one of ours.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Error, SqlStr};

use super::faults::Faults;
use crate::error::StoreError;

/// Every version, oldest first. One that was released is never edited: the next one changes what it made.
const VERSIONS: [(i64, &str, &str); 2] = [
    (1, "tasks", include_str!("../../migrations/sqlite/0001_tasks.sql")),
    (2, "controls", include_str!("../../migrations/sqlite/0002_controls.sql")),
];

/// `PRAGMA application_id` of our files: "Taln".
const APPLICATION_ID: i64 = 0x5461_6c6e;

/// Looks, before anything is written, whether this build may use the file.
pub(crate) async fn check(connection: &mut SqliteConnection, faults: &Faults) -> Result<(), StoreError> {
    let (tables, application_id): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM sqlite_schema), (SELECT application_id FROM pragma_application_id)",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(faults.during("look at the file"))?;
    if tables == 0 {
        return Ok(());
    }
    if application_id != APPLICATION_ID {
        return Err(faults.not_a_database());
    }
    let found: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
        .map_err(faults.during("read the schema version"))?;
    let supported = VERSIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    if supported < found { Err(faults.newer_schema(found, supported)) } else { Ok(()) }
}

/// Brings the file up to date. A start that is killed half-way is carried on by the next.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), Error> {
    // The first thing written, so that the file is known as ours from then on. A pragma takes no parameters.
    let mark = sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}"));
    sqlx::query(mark).execute(&mut *connection).await?;
    let versions = VERSIONS.map(|(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator::with_migrations(versions.into()).run(connection).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => Error::Migrate(Box::new(other)),
    })
}
