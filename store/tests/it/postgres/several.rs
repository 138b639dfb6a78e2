//! Several processes share one database.

use std::collections::HashSet;
use std::sync::Arc;

use store::{Change, Concurrency, EventKind, Fence, Leadership, NewTask, Opened, Store, StoreError, Withheld};
use testbed::Postgres;
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};
use types::TaskId;

use super::{open, sql};
use crate::world::{LEASE, SECOND, actor, complete, new_step, new_task, worker};

async fn two() -> (String, [Arc<dyn Store>; 2]) {
    let url = Postgres::shared().await.database().await;
    let stores = [open(&url).await, open(&url).await];
    (url, stores)
}

async fn accept(store: &Arc<dyn Store>, tasks: Vec<NewTask>) -> Vec<TaskId> {
    store.accept(tasks, &actor()).await.unwrap().into_iter().map(|accepted| accepted.unwrap().id).collect()
}

#[tokio::test]
async fn what_one_commits_the_other_hears_of() {
    let (_, [one, other]) = two().await;
    let mut changes = other.changes();
    // A hint is lost while the other does not listen yet.
    let (task, heard) = loop {
        let task = accept(&one, vec![new_task()]).await[0];
        if let Ok(change) = timeout(Duration::from_millis(200), changes.recv()).await {
            break (task, change.unwrap());
        }
    };
    assert_eq!((heard.kind, heard.state), (EventKind::Accepted, types::TaskState::Queued));
    one.cancel(task, &actor()).await.unwrap();
    let is_cancelled = |change: &Change| change.task == task && change.kind == EventKind::Cancelled;
    while !is_cancelled(&timeout(SECOND * 60, changes.recv()).await.expect("it is heard").unwrap()) {}
}

#[tokio::test]
async fn of_many_who_open_a_task_at_once_one_holds_it() {
    let (_, stores) = two().await;
    let tasks = accept(&stores[0], vec![new_task(); 40]).await;
    let mut opening = JoinSet::new();
    for &task in &tasks {
        for store in &stores {
            for slot in 0..2 {
                let store = Arc::clone(store);
                opening.spawn(async move { store.open(task, &worker(slot), LEASE).await.unwrap() });
            }
        }
    }
    let opened = opening.join_all().await;
    let held: Vec<TaskId> =
        opened.iter().filter_map(|opened| if let Opened::Held(task) = opened { Some(task.id) } else { None }).collect();
    assert_eq!(held.len(), tasks.len());
    assert_eq!(held.iter().collect::<HashSet<_>>(), tasks.iter().collect());
}

#[tokio::test]
async fn a_concurrency_key_counts_what_other_processes_run() {
    let (_, stores) = two().await;
    let concurrency = Some(Concurrency { key: "customer-7".to_owned(), limit: 3 });
    let tasks = accept(&stores[0], vec![NewTask { concurrency, ..new_task() }; 40]).await;
    let mut opening = JoinSet::new();
    for (task, store) in tasks.into_iter().zip(stores.iter().cycle()) {
        let store = Arc::clone(store);
        opening.spawn(async move { store.open(task, &worker(0), LEASE).await.unwrap() });
    }
    let (mut held, mut busy) = (0, 0);
    for opened in opening.join_all().await {
        match opened {
            Opened::Held(_) => held += 1,
            Opened::Withheld(Withheld::KeyBusy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((held, busy), (3, 37));
}

#[tokio::test]
async fn an_idempotency_key_used_everywhere_at_once_makes_one_task() {
    let (_, stores) = two().await;
    let mut accepting = JoinSet::new();
    for round in 0..20 {
        for store in &stores {
            let store = Arc::clone(store);
            let task = NewTask { idempotency_key: Some(format!("order-{round}")), ..new_task() };
            accepting.spawn(async move { accept(&store, vec![task]).await[0] });
        }
    }
    let tasks: HashSet<TaskId> = accepting.join_all().await.into_iter().collect();
    assert_eq!(tasks.len(), 20);
    assert!(stores[0].conservation().await.unwrap().holds());
}

#[tokio::test]
async fn whole_lives_on_both_at_once_are_all_accounted_for() {
    let (url, stores) = two().await;
    let mut living = JoinSet::new();
    for slot in 0..16 {
        let (accepting, working) = (Arc::clone(&stores[slot % 2]), Arc::clone(&stores[(slot / 2) % 2]));
        living.spawn(async move {
            for _ in 0..10 {
                for task in accept(&accepting, vec![new_task(); 3]).await {
                    let opened = working.open(task, &worker(0), LEASE).await.unwrap();
                    let Opened::Held(task) = opened else { panic!("{opened:?}") };
                    let fence = Fence { task: task.id, attempt: task.attempt };
                    working.record_step(fence, new_step(task.accepted_at)).await.unwrap();
                    working.renew(&[fence], LEASE).await.unwrap();
                    working.end(fence, complete()).await.unwrap();
                }
            }
        });
    }
    living.join_all().await;
    let conservation = stores[0].conservation().await.unwrap();
    assert_eq!((conservation.accepted, conservation.terminal), (480, 480));
    assert!(conservation.holds(), "{conservation:?}");

    // The leader puts the figures' differences together, and they say the same.
    let before = stores[1].figures().await.unwrap();
    for _ in 0..2 {
        stores[0].lead().await.unwrap();
    }
    assert_eq!(stores[1].figures().await.unwrap().tasks, before.tasks);
    assert_eq!(sql(&url, "SELECT COUNT(*) FROM task_figures").await, "1");
}

#[tokio::test]
async fn one_leads_until_its_session_is_lost() {
    let (url, [one, other]) = two().await;
    assert!(matches!(one.lead().await.unwrap(), Leadership::Leader { .. }));
    assert!(matches!(other.lead().await.unwrap(), Leadership::Follower));
    let Leadership::Leader { since_connect } = one.lead().await.unwrap() else { panic!("it leads no more") };
    let end = "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(sql(&url, end).await, "t");
    let Leadership::Leader { since_connect: later } = other.lead().await.unwrap() else { panic!("nobody leads") };
    assert!(since_connect < later);
    // It finds out that it leads no more, and follows.
    assert!(matches!(one.lead().await.unwrap(), Leadership::Follower));
    other.close().await;
    assert!(matches!(one.lead().await.unwrap(), Leadership::Leader { .. }));
    assert!(matches!(other.lead().await, Err(StoreError::Closed)), "a store that is closed does not stand again");
}
