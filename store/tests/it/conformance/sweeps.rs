//! What time does.

use store::{LeaseSweep, NewTask, Swept};
use types::{StopReason, TaskState};

use crate::world::{LEASE, Limits, SECOND, World, assert_lost, complete, new_task};

pub async fn a_due_task_is_queued_and_delivered(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.accept(NewTask { due_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    assert_eq!(world.sweep().await, Swept::default());
    world.clock.advance(SECOND);
    assert_eq!(world.sweep().await, Swept { due: 1, ..Swept::default() });
    assert_eq!(world.state(task).await, TaskState::Queued);
    assert_eq!(world.outbound().await, [task]);
}

pub async fn an_expired_lease_is_put_back_and_delivered(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.outbound().await;
    world.clock.advance(LEASE);
    assert_eq!(world.sweep().await, Swept { expired: 1, ..Swept::default() });
    assert_eq!(world.state(fence.task).await, TaskState::Queued);
    assert_eq!(world.outbound().await, [fence.task]);
    assert_lost(world.store.end(fence, complete()).await, fence);
    assert_eq!(world.task(fence.task).await.losses, 1);
}

pub async fn a_waiting_task_fails_at_its_deadline(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let deadline_at = Some(world.now().after(SECOND));
    let task = world.accept(NewTask { deadline_at, ..new_task() }).await.id;
    let running = world.accept(NewTask { deadline_at, ..new_task() }).await.id;
    world.open(running).await;
    world.clock.advance(SECOND);
    assert_eq!(world.sweep().await, Swept { timed_out: 1, ..Swept::default() });
    assert_eq!(world.task(task).await.stop_reason, Some(StopReason::Timeout));
    // Its worker holds it and sees to the deadline.
    assert_eq!(world.state(running).await, TaskState::Running);
    world.clock.advance(LEASE);
    world.sweep().await;
    assert_eq!(world.task(running).await.stop_reason, Some(StopReason::Timeout));
}

pub async fn a_sweep_with_nothing_due_does_nothing(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.held().await;
    assert_eq!(world.sweep().await, Swept::default());
}

pub async fn the_outbox_gives_each_task_once_and_in_order(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let tasks = [world.queued().await, world.queued().await, world.queued().await];
    assert_eq!(world.store.take_outbox(1).await.unwrap()[0].task, tasks[0]);
    assert_eq!(world.outbound().await, tasks[1..]);
    assert!(world.outbound().await.is_empty());
}

pub async fn an_expired_lease_can_be_spared(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    let due = world.accept(NewTask { due_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    world.clock.advance(LEASE);
    let spared = world.store.sweep(10, LeaseSweep::Spare).await.unwrap();
    assert_eq!(spared, Swept { due: 1, ..Swept::default() });
    assert_eq!(world.state(due).await, TaskState::Queued);
    assert_eq!(world.state(fence.task).await, TaskState::Running);
    // Its holder only had to reach the store again.
    world.end(fence, complete()).await;
}
