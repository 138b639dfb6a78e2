//! Ids reach the queue, whatever was lost on the way.

use std::sync::Arc;
use std::time::Duration;

use store::{Clock, NewTask, Relay, RelaySettings, Relayed, SqliteSettings, SqliteStore, Store, Swept};
use task_queue::{Classes, MemoryQueue, MemoryQueueSettings, Queue};
use tempfile::TempDir;
use types::{TaskId, TaskState};

use crate::world::{LEASE, Limits, SECOND, World, actor, new_task, sqlite};

const NEVER: RelaySettings = RelaySettings { tick: Duration::from_secs(3600) };

fn queue() -> Arc<MemoryQueue> {
    Arc::new(MemoryQueue::new(MemoryQueueSettings::default()))
}

fn relay(world: &World, queue: &Arc<MemoryQueue>) -> Relay {
    Relay::new(Arc::clone(&world.store), Arc::clone(queue) as Arc<dyn Queue>, NEVER)
}

async fn take(queue: &MemoryQueue, world: &World) -> TaskId {
    let delivery = queue.take(&world.worker, Classes::All).await.unwrap();
    let task = delivery.task();
    queue.acknowledge(delivery).await.unwrap();
    task
}

#[tokio::test]
async fn an_accepted_task_is_delivered_at_its_commit_and_not_at_a_tick() {
    let (world, queue) = (sqlite(Limits::default()).await, queue());
    let running = tokio::spawn(relay(&world, &queue).run(std::future::pending()));
    // The first tick is at once; the first task goes with it or with its commit, the others only with their commits.
    for _ in 0..3 {
        let task = world.queued().await;
        let delivery = queue.take(&world.worker, Classes::All).await.unwrap();
        assert_eq!(delivery.task(), task);
        world.open(task).await;
        queue.acknowledge(delivery).await.unwrap();
    }
    running.abort();
}

#[tokio::test]
async fn delivered_ids_are_cleared_and_not_delivered_again() {
    let (world, queue) = (sqlite(Limits::default()).await, queue());
    let mut relay = relay(&world, &queue);
    let task = world.queued().await;
    assert_eq!(relay.run_once().await.unwrap(), Relayed { delivered: 1, ..Relayed::default() });
    assert!(world.outbound().await.is_empty());
    assert_eq!(relay.run_once().await.unwrap(), Relayed::default());
    assert_eq!(take(&queue, &world).await, task);
}

#[tokio::test]
async fn due_tasks_and_expired_leases_are_delivered() {
    let (world, queue) = (sqlite(Limits::default()).await, queue());
    let mut relay = relay(&world, &queue);
    let held = world.held().await;
    let delayed = world.accept(NewTask { due_at: Some(world.now().after(LEASE)), ..new_task() }).await.id;
    world.outbound().await;
    assert_eq!(relay.run_once().await.unwrap(), Relayed::default());
    world.clock.advance(LEASE);
    let swept = Swept { due: 1, expired: 1, timed_out: 0 };
    assert_eq!(relay.run_once().await.unwrap(), Relayed { swept, delivered: 2, refilled: 0 });
    let taken = [take(&queue, &world).await, take(&queue, &world).await];
    assert_eq!(taken, [held.task, delayed]);
}

#[tokio::test]
async fn an_id_that_was_taken_and_never_opened_comes_back() {
    let (world, queue) = (sqlite(Limits::default()).await, queue());
    let mut relay = relay(&world, &queue);
    let task = world.queued().await;
    relay.run_once().await.unwrap();
    assert_eq!(take(&queue, &world).await, task);
    assert_eq!(relay.run_once().await.unwrap().refilled, 0, "it may be about to be opened");
    assert_eq!(relay.run_once().await.unwrap().refilled, 1);
    assert_eq!(take(&queue, &world).await, task);
    world.open(task).await;
    assert_eq!(relay.run_once().await.unwrap().refilled, 0);
}

#[tokio::test]
async fn a_queue_that_was_wiped_is_filled_again() {
    let world = sqlite(Limits { max_queued: 10_000, ..Limits::default() }).await;
    world.store.accept(vec![new_task(); 2500], &actor()).await.unwrap();
    let first = queue();
    assert_eq!(relay(&world, &first).run_once().await.unwrap().delivered, 2500);
    let wiped = queue();
    let mut relay = relay(&world, &wiped);
    assert_eq!(relay.run_once().await.unwrap().refilled, 0);
    assert_eq!(relay.run_once().await.unwrap().refilled, 2500);
    assert_eq!(wiped.depth().await.unwrap().waiting(), 2500);
}

#[tokio::test]
async fn after_a_restart_everything_that_waits_or_ran_is_delivered() {
    let (folder, clock) = (TempDir::new().unwrap(), Clock::System);
    let settings = SqliteSettings { clock, ..SqliteSettings::new(folder.path().join("talon.db")) };
    let worker = crate::world::worker(0);
    let ids: Vec<TaskId> = {
        let store = SqliteStore::open(settings.clone()).await.unwrap();
        let accepted = store.accept(vec![new_task(); 2], &actor()).await.unwrap();
        let ids: Vec<TaskId> = accepted.into_iter().map(|accepted| accepted.unwrap().id).collect();
        store.open(ids[0], &worker, LEASE).await.unwrap();
        store.close().await;
        ids
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(settings).await.unwrap());
    let queue = queue();
    Relay::new(Arc::clone(&store), Arc::clone(&queue) as Arc<dyn Queue>, NEVER).run_once().await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert_eq!(depth.waiting(), 2);
    for task in ids {
        assert_eq!(store.task(task).await.unwrap().unwrap().state, TaskState::Queued);
    }
}

#[tokio::test]
async fn the_relay_ends_with_shutdown_and_with_the_queue() {
    let world = sqlite(Limits::default()).await;
    let (shut_down, shutdown) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(relay(&world, &queue()).run(async move {
        let _ = shutdown.await;
    }));
    shut_down.send(()).unwrap();
    running.await.unwrap();

    let task = world.queued().await;
    let closed = queue();
    closed.close().await;
    let running = tokio::spawn(relay(&world, &closed).run(std::future::pending()));
    tokio::time::timeout(SECOND * 30, running).await.unwrap().unwrap();
    assert_eq!(world.state(task).await, TaskState::Queued);
}
