//! Leases as a process holds them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::{ConnectOptions, Executor};
use store::{Interrupt, Leases, Opening, SqliteSettings, SqliteStore, Store, StoreError};
use tempfile::TempDir;
use types::{TaskId, TaskState};

use crate::world::{LEASE, POLICY, World, actor, failure, new_task, on_every_store, worker};

fn leases(world: &World) -> Leases {
    Leases::new(Arc::clone(&world.store), LEASE)
}

async fn open(leases: &Leases, world: &World) -> store::Lease {
    let task = world.queued().await;
    match leases.open(task, &world.worker).await.unwrap() {
        Opening::Opened(lease) => lease,
        other => panic!("{other:?}"),
    }
}

/// Why the holder must stop; never hearing of it is a failure and not a hang.
async fn told(lease: &store::Lease) -> Interrupt {
    tokio::time::timeout(Duration::from_secs(60), lease.interrupted()).await.expect("told to stop")
}

on_every_store! {
    a_lease_is_consumed_by_its_outcome,
    each_outcome_leads_to_its_state,
    what_cannot_be_opened_says_why,
    one_call_renews_every_lease,
    a_dropped_lease_is_not_renewed_and_expires,
    a_renewal_tells_the_holder_to_stop,
    a_cancellation_in_this_process_is_heard_at_once,
}

async fn a_lease_is_consumed_by_its_outcome(world: World) {
    let leases = leases(&world);
    let lease = open(&leases, &world).await;
    assert_eq!((lease.attempt().0, lease.worker(), leases.count()), (1, &world.worker, 1));
    let task = lease.task().id;
    assert_eq!(lease.record_step(crate::world::new_step(world.now())).await.unwrap(), 1);
    assert_eq!(lease.complete(json!("done")).await.unwrap().state, TaskState::Succeeded);
    assert_eq!((world.state(task).await, leases.count()), (TaskState::Succeeded, 0));
}

async fn each_outcome_leads_to_its_state(world: World) {
    let leases = leases(&world);
    let next = async || open(&leases, &world).await;
    let retried = next().await.retry(failure(), &POLICY, None).await.unwrap();
    assert_eq!((retried.state, retried.due_at), (TaskState::Scheduled, Some(world.now().after(POLICY.initial))));
    assert_eq!(next().await.fail(failure()).await.unwrap().state, TaskState::Failed);
    assert_eq!(next().await.bury(failure()).await.unwrap().state, TaskState::Dead);
    assert_eq!(next().await.release().await.unwrap().state, TaskState::Queued);
    assert_eq!(next().await.cancelled().await.unwrap().state, TaskState::Cancelled);
}

async fn what_cannot_be_opened_says_why(world: World) {
    let leases = leases(&world);
    let task = world.dead().await;
    assert!(matches!(leases.open(task, &world.worker).await, Ok(Opening::Gone(TaskState::Dead))));
    assert!(matches!(leases.open(TaskId::new(), &world.worker).await, Ok(Opening::Unknown)));
}

async fn one_call_renews_every_lease(world: World) {
    let leases = leases(&world);
    let held = [open(&leases, &world).await, open(&leases, &world).await];
    world.clock.advance(LEASE / 2);
    leases.renew().await.unwrap();
    world.clock.advance(LEASE / 2);
    assert_eq!(world.sweep().await.expired, 0);
    for lease in held {
        assert_eq!(lease.interrupt(), None);
        lease.complete(json!(1)).await.unwrap();
    }
}

async fn a_dropped_lease_is_not_renewed_and_expires(world: World) {
    let leases = leases(&world);
    let lease = open(&leases, &world).await;
    let task = lease.task().id;
    drop(lease);
    assert_eq!(leases.count(), 0);
    world.clock.advance(LEASE / 2);
    leases.renew().await.unwrap();
    world.pass(LEASE / 2).await;
    assert_eq!(world.open(task).await.attempt.0, 2);
}

async fn a_renewal_tells_the_holder_to_stop(world: World) {
    let leases = leases(&world);
    let lost = open(&leases, &world).await;
    world.clock.advance(LEASE / 2);
    let asked = open(&leases, &world).await;
    world.store.cancel(asked.task().id, &actor()).await.unwrap();
    world.pass(LEASE / 2).await;
    world.open(lost.task().id).await;
    leases.renew().await.unwrap();
    assert_eq!(told(&asked).await, Interrupt::CancelRequested);
    assert_eq!(told(&lost).await, Interrupt::Lost);
    assert!(matches!(lost.complete(json!(1)).await, Err(StoreError::LeaseLost { .. })));
    assert_eq!(asked.cancelled().await.unwrap().state, TaskState::Cancelled);
}

async fn a_cancellation_in_this_process_is_heard_at_once(world: World) {
    // Renewed every twenty minutes: what is heard is heard by notification.
    let leases = Leases::new(Arc::clone(&world.store), Duration::from_secs(3600));
    let running = tokio::spawn(leases.clone().run(std::future::pending()));
    let lease = open(&leases, &world).await;
    // The keeper listens before its first tick; a cancellation before that is found by the renewal of that tick.
    world.store.cancel(lease.task().id, &actor()).await.unwrap();
    assert_eq!(told(&lease).await, Interrupt::CancelRequested);
    running.abort();
}

#[tokio::test]
async fn an_outcome_waits_until_a_passing_fault_is_over() {
    let folder = TempDir::new().unwrap();
    let settings = SqliteSettings {
        busy_timeout: Duration::from_millis(1),
        ..SqliteSettings::new(folder.path().join("talon.db"))
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(settings.clone()).await.unwrap());
    let leases = Leases::new(Arc::clone(&store), LEASE);
    let task = store.accept(vec![new_task()], &actor()).await.unwrap().pop().unwrap().unwrap().id;
    let Opening::Opened(lease) = leases.open(task, &worker(0)).await.unwrap() else { panic!("not free") };

    let other_program = sqlx::sqlite::SqliteConnectOptions::new().filename(&settings.path);
    let mut other_program = other_program.connect().await.unwrap();
    other_program.execute("BEGIN IMMEDIATE").await.unwrap();
    let outcome = tokio::spawn(lease.complete(json!("dear")));
    tokio::task::yield_now().await;
    // Asked for after the outcome, so by now that one has been refused once.
    let refused = store.accept(vec![new_task()], &actor()).await;
    assert!(matches!(refused, Err(StoreError::Busy { .. })), "{refused:?}");
    other_program.execute("ROLLBACK").await.unwrap();
    assert_eq!(outcome.await.unwrap().unwrap().state, TaskState::Succeeded);
}
