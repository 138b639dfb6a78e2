//! The store in PostgreSQL keeps the contract. Beside it, what only a server that several processes share can suffer.

mod faults;
mod opening;
mod races;
mod several;

crate::conformance::keeps_the_contract!(crate::world::postgres);

use std::sync::Arc;

use store::{PostgresSettings, PostgresStore, Store};
use testbed::Postgres;

/// As another process would open it.
async fn open(url: &str) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(settings(url)).await.unwrap())
}

fn settings(url: &str) -> PostgresSettings {
    PostgresSettings { readers: 2, ..PostgresSettings::new(url) }
}

/// What `psql` says.
async fn sql(url: &str, statements: &str) -> String {
    Postgres::shared().await.sql(url, statements).await
}
