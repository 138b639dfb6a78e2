//! What may be found at the start.

use std::time::Duration;

use store::{PostgresSettings, PostgresStore, StoreError};
use testbed::Postgres;
use tokio::task::JoinSet;

use super::{open, settings, sql};

async fn refused(settings: PostgresSettings) -> StoreError {
    match PostgresStore::open(settings).await {
        Err(error) => error,
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test]
async fn processes_that_start_at_once_bring_the_schema_up_to_date_once() {
    let url = Postgres::shared().await.database().await;
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        opening.spawn(async move { open(&url).await });
    }
    let stores = opening.join_all().await;
    assert!(stores[3].conservation().await.unwrap().holds());
    assert_eq!(sql(&url, "SELECT COUNT(*) FROM _sqlx_migrations WHERE success").await, "1");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let url = Postgres::shared().await.database().await;
    open(&url).await.close().await;
    sql(&url, "UPDATE _sqlx_migrations SET version = 99").await;
    let error = refused(settings(&url)).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_credentials() {
    let port = testbed::free_port();
    let url = format!("postgres://talon:secret@127.0.0.1:{port}/talon");
    let settings = PostgresSettings { connect_timeout: Duration::from_millis(300), ..settings(&url) };
    let error = refused(settings).await;
    let expected = format!(
        "PostgreSQL at 127.0.0.1:{port}/talon cannot be reached; see that the server runs and that the way to it is \
         open, and try again"
    );
    assert_eq!((error.to_string(), error.is_passing()), (expected, true));
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again() {
    let url = Postgres::shared().await.database().await;
    let error = refused(settings(&url.replacen("talon:talon", "talon:wrong", 1))).await;
    assert!(!error.is_passing() && error.to_string().contains("let this process in"), "{error}");
}

#[tokio::test]
async fn a_text_that_is_no_url_is_refused() {
    let error = refused(settings("postgres://nobody:at:all")).await;
    assert!(!error.is_passing(), "{error}");
}
