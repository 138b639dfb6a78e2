//! A server that goes away, and connections that break, in the middle of writes.

use std::collections::HashSet;
use std::sync::Arc;

use store::{EventKind, Fence, Leadership, NewTask, Opened, Store, StoreError};
use testbed::{Postgres, PostgresOptions, Proxy, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use types::TaskId;

use super::{open, sql};
use crate::world::{LEASE, actor, complete, new_task, worker};

async fn accept(store: &Arc<dyn Store>, task: NewTask) -> Result<TaskId, StoreError> {
    Ok(store.accept(vec![task], &actor()).await?.pop().unwrap().unwrap().id)
}

/// Asks again for as long as the fault may pass.
macro_rules! persist {
    ($ask:expr) => {
        loop {
            match $ask.await {
                Ok(answer) => break answer,
                Err(error) => assert!(error.is_passing(), "{error}"),
            }
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_returns_has_kept_every_promise() {
    let mut server = Postgres::start(PostgresOptions::default()).await;
    let url = server.database().await;
    let store = open(&url).await;
    let (stop, stopped) = watch::channel(false);
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let (store, stopped) = (Arc::clone(&store), stopped.clone());
        callers.spawn(async move {
            let mut ended = Vec::new();
            while !*stopped.borrow() {
                let key = Some(format!("{caller}-{}", ended.len()));
                let task = persist!(accept(&store, NewTask { idempotency_key: key.clone(), ..new_task() }));
                // An attempt whose opening is not heard of is held by nobody who knows: another task is worked on.
                let Ok(Opened::Held(held)) = store.open(task, &worker(0), LEASE).await else { continue };
                let fence = Fence { task, attempt: held.attempt };
                persist!(store.end(fence, complete()));
                ended.push(task);
            }
            ended
        });
    }
    let mut changes = store.changes();
    for how in [Shutdown::Kill, Shutdown::Fast, Shutdown::Kill] {
        let mut ends = 0;
        while ends < 20 {
            ends += usize::from(changes.recv().await.is_ok_and(|change| change.kind == EventKind::Succeeded));
        }
        server.restart(how).await;
    }
    stop.send(true).unwrap();
    let ended: Vec<TaskId> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(ended.iter().collect::<HashSet<_>>().len(), ended.len());
    for task in ended {
        let kinds: Vec<EventKind> =
            store.events(task, 0, 100).await.unwrap().into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Accepted, EventKind::Started, EventKind::Succeeded]);
    }
    let conservation = store.conservation().await.unwrap();
    assert!(conservation.holds(), "{conservation:?}");
}

/// Has every commit that accepts a task wait for a lock of the test's, or end its own session.
async fn at_commit(url: &str, act: &str) {
    let statements = format!(
        "CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {act}; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION at_commit()"
    );
    sql(url, &statements).await;
}

#[tokio::test]
async fn a_commit_that_was_cut_off_before_it_was_done_is_done_again() {
    let url = Postgres::shared().await.database().await;
    let store = open(&url).await;
    // The first commit ends its session, the second goes through.
    sql(&url, "CREATE SEQUENCE commits").await;
    at_commit(&url, "IF nextval('commits') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF").await;
    let task = accept(&store, new_task()).await.unwrap();
    let page = store.tasks(&Default::default(), None, 10).await.unwrap();
    assert_eq!(page.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [task]);
}

/// Passes bytes on; once it is told to, what the server says is lost, and with it the connection.
async fn deaf_proxy(url: &str) -> (String, watch::Sender<bool>) {
    let (before, after) = url.split_once('@').unwrap();
    let (address, database) = after.split_once('/').unwrap();
    let (address, listener) = (address.to_owned(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let own = format!("{before}@{}/{database}", listener.local_addr().unwrap());
    let (deafen, is_deaf) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&address).await.unwrap();
            let is_deaf = is_deaf.clone();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let mut bytes = vec![0; 65536];
                while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                    if *is_deaf.borrow() || to_client.write_all(&bytes[..count]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (own, deafen)
}

/// Accepts tasks together, by a commit that is done and whose answer is lost.
async fn accept_unheard(url: &str, count: usize) -> (Arc<dyn Store>, Vec<Result<TaskId, StoreError>>) {
    let (through, deafen) = deaf_proxy(url).await;
    let store = open(&through).await;
    at_commit(url, "PERFORM pg_advisory_xact_lock_shared(7)").await;

    let mut holder = Holder::lock(url).await;
    let mut accepting = JoinSet::new();
    for _ in 0..count {
        let store = Arc::clone(&store);
        accepting.spawn(async move { accept(&store, new_task()).await });
    }
    let waits = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while sql(url, waits).await != "1" {}
    deafen.send(true).unwrap();
    holder.unlock().await;
    while sql(url, "SELECT COUNT(*) FROM tasks").await != count.to_string() {}
    deafen.send(false).unwrap();
    (store, accepting.join_all().await)
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_to_be_done() {
    let url = Postgres::shared().await.database().await;
    let (store, mut accepted) = accept_unheard(&url, 1).await;
    let task = accepted.remove(0).unwrap();
    let page = store.tasks(&Default::default(), None, 10).await.unwrap();
    assert_eq!(page.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [task]);
}

#[tokio::test]
async fn a_commit_that_cannot_be_looked_up_is_not_done_again() {
    let url = Postgres::shared().await.database().await;
    open(&url).await.close().await;
    // Reading events fails the first time.
    sql(
        &url,
        "CREATE SEQUENCE looks;
         CREATE FUNCTION fails_once() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('looks') = 1 THEN RAISE EXCEPTION 'not now'; END IF; RETURN true; END $$;
         ALTER TABLE task_events RENAME TO events_of_tasks;
         CREATE VIEW task_events AS SELECT * FROM events_of_tasks WHERE fails_once()",
    )
    .await;
    let (_store, accepted) = accept_unheard(&url, 2).await;
    for answer in accepted {
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    assert_eq!(sql(&url, "SELECT COUNT(*) FROM tasks").await, "2");
    assert_ne!(sql(&url, "SELECT last_value FROM looks WHERE is_called").await, "", "it was looked up");
}

#[tokio::test]
async fn writes_that_are_slow_together_are_not_tried_one_by_one() {
    let url = Postgres::shared().await.database().await;
    let store = open(&url).await;
    sql(&url, "CREATE SEQUENCE commits").await;
    at_commit(&url, "PERFORM nextval('commits'); RAISE EXCEPTION 'too slow' USING ERRCODE = 'query_canceled'").await;
    let mut accepting = JoinSet::new();
    for _ in 0..40 {
        let store = Arc::clone(&store);
        accepting.spawn(async move { accept(&store, new_task()).await });
    }
    for answer in accepting.join_all().await {
        assert!(matches!(answer, Err(StoreError::Busy { .. })), "{answer:?}");
    }
    let tries: u32 = sql(&url, "SELECT last_value FROM commits").await.parse().unwrap();
    assert!(tries < 40, "{tries}");
}

/// A session of the test's own that holds a lock.
struct Holder(sqlx::PgConnection);

impl Holder {
    async fn lock(url: &str) -> Self {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(url).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock(7)").execute(&mut connection).await.unwrap();
        Holder(connection)
    }

    async fn unlock(&mut self) {
        sqlx::query("SELECT pg_advisory_unlock(7)").execute(&mut self.0).await.unwrap();
    }
}

#[tokio::test]
async fn a_table_that_someone_holds_is_busy_for_all_who_wait_together() {
    let url = Postgres::shared().await.database().await;
    let store = open(&url).await;
    let mut holder = Holder::lock(&url).await;
    sqlx::query("BEGIN").execute(&mut holder.0).await.unwrap();
    sqlx::query("LOCK TABLE tasks").execute(&mut holder.0).await.unwrap();
    let mut accepting = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        accepting.spawn(async move { accept(&store, new_task()).await });
    }
    for answer in accepting.join_all().await {
        assert!(matches!(answer, Err(StoreError::Busy { .. })), "{answer:?}");
    }
    sqlx::query("ROLLBACK").execute(&mut holder.0).await.unwrap();
    accept(&store, new_task()).await.unwrap();
}

#[tokio::test]
async fn a_way_that_went_silent_is_noticed_and_left() {
    let url = Postgres::shared().await.database().await;
    let proxy = Proxy::to(&url).await;
    let store = open(proxy.url()).await;
    accept(&store, new_task()).await.unwrap();
    proxy.half_open();
    // What is waited for comes when nothing else happens.
    tokio::time::pause();
    let error = accept(&store, new_task()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    let error = store.figures().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    tokio::time::resume();
    proxy.pass();
    persist!(accept(&store, new_task()));
    persist!(store.figures());
    assert!(store.conservation().await.unwrap().holds());
}

#[tokio::test]
async fn connections_that_are_reset_are_made_anew() {
    let url = Postgres::shared().await.database().await;
    let proxy = Proxy::to(&url).await;
    let store = open(proxy.url()).await;
    for round in 0..5 {
        proxy.drop_all();
        let key = Some(format!("{round}"));
        let task = persist!(accept(&store, NewTask { idempotency_key: key.clone(), ..new_task() }));
        assert!(persist!(store.task(task)).is_some());
    }
    let conservation = persist!(store.conservation());
    assert_eq!(conservation.accepted, 5);
    assert!(conservation.holds(), "{conservation:?}");
}

#[tokio::test]
async fn a_leader_whose_way_went_silent_leads_again_by_another() {
    let url = Postgres::shared().await.database().await;
    let proxy = Proxy::to(&url).await;
    let store = open(proxy.url()).await;
    assert!(matches!(store.lead().await.unwrap(), Leadership::Leader { .. }));
    proxy.half_open();
    tokio::time::pause();
    assert!(store.lead().await.is_err_and(|error| error.is_passing()));
    tokio::time::resume();
    proxy.pass();
    while !matches!(store.lead().await, Ok(Leadership::Leader { .. })) {}
}
