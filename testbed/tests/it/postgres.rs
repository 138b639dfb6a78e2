//! PostgreSQL as tests find it.

use testbed::{Postgres, PostgresOptions, Proxy, Shutdown};

#[tokio::test]
async fn what_was_committed_survives_every_end() {
    let mut postgres = Postgres::start(PostgresOptions::default()).await;
    let url = postgres.database().await;
    postgres.sql(&url, "CREATE TABLE t (n int)").await;
    for (n, how) in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill].into_iter().enumerate() {
        postgres.sql(&url, &format!("INSERT INTO t VALUES ({n})")).await;
        postgres.restart(how).await;
        assert_eq!(postgres.sql(&url, "SELECT count(*) FROM t").await, (n + 1).to_string(), "{how:?}");
    }
    assert_eq!(postgres.sql(&url, "SHOW fsync; SHOW synchronous_commit").await, "on\non");
}

#[tokio::test]
async fn tests_that_share_a_server_have_databases_of_their_own() {
    let postgres = Postgres::shared().await;
    let (one, other) = (postgres.database().await, postgres.database().await);
    postgres.sql(&one, "CREATE TABLE t (n int)").await;
    postgres.sql(&other, "CREATE TABLE t (n int)").await;
}

#[tokio::test]
async fn it_is_reached_through_a_proxy() {
    let postgres = Postgres::shared().await;
    let proxy = Proxy::to(&postgres.database().await).await;
    assert_eq!(postgres.sql(proxy.url(), "SELECT 1").await, "1");
}
