//! What time does.

use store::{NewTask, Swept};
use types::{StopReason, TaskState};

use crate::world::{LEASE, Limits, SECOND, World, assert_lost, complete, new_task};

pub async fn a_due_task_is_queued_and_delivered(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.accept(NewTask { due_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept::default());
    world.clock.advance(SECOND);
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept { due: 1, ..Swept::default() });
    assert_eq!(world.state(task).await, TaskState::Queued);
    assert_eq!(world.outbound().await, [task]);
}

pub async fn an_expired_lease_is_put_back_and_delivered(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.store.clear_outbox(i64::MAX).await.unwrap();
    world.clock.advance(LEASE);
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept { expired: 1, ..Swept::default() });
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
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept { timed_out: 1, ..Swept::default() });
    assert_eq!(world.task(task).await.stop_reason, Some(StopReason::Timeout));
    // Its worker holds it and sees to the deadline.
    assert_eq!(world.state(running).await, TaskState::Running);
    world.clock.advance(LEASE);
    world.store.sweep(10).await.unwrap();
    assert_eq!(world.task(running).await.stop_reason, Some(StopReason::Timeout));
}

pub async fn a_sweep_with_nothing_due_does_nothing(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.held().await;
    assert_eq!(world.store.sweep(10).await.unwrap(), Swept::default());
}

pub async fn a_cleared_outbox_keeps_what_came_later(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.queued().await;
    let seen = world.store.outbox(0, 10).await.unwrap();
    let later = world.queued().await;
    assert_eq!(world.store.outbox(seen[0].seq, 10).await.unwrap()[0].task, later);
    world.store.clear_outbox(seen[0].seq).await.unwrap();
    assert_eq!(world.outbound().await, [later]);
}
