//! Ids reach the queue, whatever was lost on the way.

use std::sync::Arc;
use std::time::Duration;

use store::{Clock, NewTask, Relay, RelaySettings, Relayed, SqliteSettings, SqliteStore, Store, Swept};
use task_queue::{Classes, MemoryQueue, MemoryQueueSettings, Queue};
use tempfile::TempDir;
use types::{TaskId, TaskState};

use crate::world::{LEASE, SECOND, World, actor, new_task, on_every_store};

/// Looks when it is told to, and spares no lease.
fn by_hand() -> RelaySettings {
    RelaySettings { tick: Duration::from_secs(3600), lease_timeout: Duration::ZERO, metrics: None }
}

fn queue() -> Arc<MemoryQueue> {
    Arc::new(MemoryQueue::new(MemoryQueueSettings::default()))
}

fn relay(world: &World, queue: &Arc<MemoryQueue>) -> Relay {
    Relay::new(Arc::clone(&world.store), Arc::clone(queue) as Arc<dyn Queue>, by_hand())
}

async fn take(queue: &MemoryQueue, world: &World) -> TaskId {
    let delivery = queue.take(&world.worker, Classes::All).await.unwrap();
    let task = delivery.task();
    queue.acknowledge(delivery).await.unwrap();
    task
}

on_every_store! {
    an_accepted_task_is_delivered_at_its_commit_and_not_at_a_tick,
    delivered_ids_are_cleared_and_not_delivered_again,
    due_tasks_and_expired_leases_are_delivered,
    leases_are_spared_until_a_leader_has_led_for_their_time,
    an_id_that_was_taken_and_never_opened_comes_back,
    the_queue_is_kept_short,
    a_leader_knows_what_was_queued_before_its_time,
    the_relay_ends_with_shutdown_and_with_the_queue,
}

async fn an_accepted_task_is_delivered_at_its_commit_and_not_at_a_tick(world: World) {
    let queue = queue();
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

async fn delivered_ids_are_cleared_and_not_delivered_again(world: World) {
    let queue = queue();
    let mut relay = relay(&world, &queue);
    let task = world.queued().await;
    assert_eq!(relay.run_once().await.unwrap(), Relayed { delivered: 1, ..Relayed::default() });
    assert!(world.outbound().await.is_empty());
    assert_eq!(relay.run_once().await.unwrap(), Relayed::default());
    assert_eq!(take(&queue, &world).await, task);
}

async fn due_tasks_and_expired_leases_are_delivered(world: World) {
    let queue = queue();
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

async fn leases_are_spared_until_a_leader_has_led_for_their_time(world: World) {
    let queue = queue();
    let settings = RelaySettings { lease_timeout: LEASE, ..by_hand() };
    let mut relay = Relay::new(Arc::clone(&world.store), Arc::clone(&queue) as Arc<dyn Queue>, settings);
    let held = world.held().await;
    world.clock.advance(LEASE);
    relay.run_once().await.unwrap();
    assert_eq!(world.state(held.task).await, TaskState::Running, "its holder may have been kept from renewing");
}

async fn an_id_that_was_taken_and_never_opened_comes_back(world: World) {
    let queue = queue();
    let mut relay = relay(&world, &queue);
    let task = world.queued().await;
    relay.run_once().await.unwrap();
    assert_eq!(take(&queue, &world).await, task);
    assert_eq!(relay.run_once().await.unwrap().refilled, 1);
    assert_eq!(take(&queue, &world).await, task);
    world.open(task).await;
    assert_eq!(relay.run_once().await.unwrap(), Relayed::default());
}

async fn the_queue_is_kept_short(world: World) {
    let queue = queue();
    let mut relay = relay(&world, &queue);
    world.store.accept(vec![new_task(); 500], &actor()).await.unwrap();
    let fed = relay.run_once().await.unwrap().delivered;
    assert!((1..50).contains(&fed), "{fed}");
    assert_eq!(relay.run_once().await.unwrap().delivered, 0, "nobody has taken any");
    for _ in 0..fed {
        world.open(take(&queue, &world).await).await;
    }
    assert!(fed <= relay.run_once().await.unwrap().delivered);
}

async fn a_leader_knows_what_was_queued_before_its_time(world: World) {
    world.store.accept(vec![new_task(); 1200], &actor()).await.unwrap();
    // Somebody else has heard of all of them, and is gone.
    while !world.store.take_outbox(1000).await.unwrap().is_empty() {}
    let queue = queue();
    let running = tokio::spawn(relay(&world, &queue).run(std::future::pending()));
    for _ in 0..1200 {
        let delivery = queue.take(&world.worker, Classes::All).await.unwrap();
        let fence = world.open(delivery.task()).await;
        queue.acknowledge(delivery).await.unwrap();
        world.end(fence, crate::world::complete()).await;
    }
    running.abort();
    world.assert_conserved().await;
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
    Relay::new(Arc::clone(&store), Arc::clone(&queue) as Arc<dyn Queue>, by_hand()).run_once().await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert_eq!(depth.waiting(), 2);
    for task in ids {
        assert_eq!(store.task(task).await.unwrap().unwrap().state, TaskState::Queued);
    }
}

async fn the_relay_ends_with_shutdown_and_with_the_queue(world: World) {
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

#[tokio::test]
async fn one_process_leads_and_another_takes_over_when_it_is_gone() {
    let settings = crate::world::postgres_settings().await;
    let open = async || Arc::new(store::PostgresStore::open(settings.clone()).await.unwrap());
    let (first, second, queue) = (open().await, open().await, queue());
    let new = |store: &Arc<store::PostgresStore>| {
        let settings = RelaySettings { lease_timeout: LEASE, ..by_hand() };
        Relay::new(Arc::clone(store) as Arc<dyn Store>, Arc::clone(&queue) as Arc<dyn Queue>, settings)
    };
    let (mut one, mut other) = (new(&first), new(&second));
    let accept = async |store: &dyn Store| store.accept(vec![new_task()], &actor()).await.unwrap();

    accept(&*second).await;
    assert_eq!(one.run_once().await.unwrap().delivered, 1, "whoever accepted it");
    assert_eq!(other.run_once().await.unwrap(), Relayed::default());
    assert_eq!((*one.leading().borrow(), *other.leading().borrow()), (true, false));

    accept(&*first).await;
    first.close().await;
    // The server lets go of the lock when it hears that the connection has ended.
    let mut delivered = 0;
    while !*other.leading().borrow() {
        delivered = other.run_once().await.unwrap().delivered;
    }
    assert_eq!(delivered, 2, "one of them is in the queue already");
    assert_eq!(queue.depth().await.unwrap().waiting(), 2);
}
