//! Cancelling.

use store::{Cancelling, Ending, EventKind, NewTask, Opened, Renewal};
use types::{StopReason, TaskId, TaskState};

use crate::world::{LEASE, Limits, SECOND, World, actor, complete, new_task, retry};

pub async fn a_waiting_task_is_cancelled_at_once(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let queued = world.queued().await;
    let scheduled = world.accept(NewTask { due_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    for task in [queued, scheduled] {
        assert_eq!(world.store.cancel(task, &actor()).await.unwrap(), Cancelling::Cancelled);
        let ended = world.task(task).await;
        assert_eq!((ended.state, ended.stop_reason), (TaskState::Cancelled, Some(StopReason::Cancelled)));
        assert_eq!(world.try_open(task).await, Opened::Gone(TaskState::Cancelled));
    }
    world.assert_conserved().await;
}

pub async fn a_running_task_is_marked_and_its_renewal_says_so(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    for _ in 0..2 {
        assert_eq!(world.store.cancel(fence.task, &actor()).await.unwrap(), Cancelling::Requested);
    }
    assert!(world.task(fence.task).await.cancel_requested);
    let renewals = world.store.renew(&[fence], LEASE).await.unwrap();
    assert_eq!(renewals, [Renewal::CancelRequested(world.now().after(LEASE))]);
    world.end(fence, Ending::Cancelled).await;
    assert_eq!(
        world.event_kinds(fence.task).await,
        [EventKind::Accepted, EventKind::Started, EventKind::CancelRequested, EventKind::Cancelled]
    );
}

pub async fn a_task_whose_worker_is_lost_is_cancelled_at_once(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (asked_after, asked_before) = (world.held().await, world.held().await);
    assert_eq!(world.store.cancel(asked_before.task, &actor()).await.unwrap(), Cancelling::Requested);
    world.clock.advance(LEASE);
    assert_eq!(world.store.cancel(asked_after.task, &actor()).await.unwrap(), Cancelling::Cancelled);
    assert_eq!(world.sweep().await.expired, 1);
    assert_eq!(world.state(asked_before.task).await, TaskState::Cancelled);
}

pub async fn an_ended_task_tells_its_state(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.dead().await;
    assert_eq!(world.store.cancel(task, &actor()).await.unwrap(), Cancelling::Ended(TaskState::Dead));
}

pub async fn a_marked_task_does_not_run_again(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    for ending in [retry(), Ending::Release] {
        let fence = world.held().await;
        world.store.cancel(fence.task, &actor()).await.unwrap();
        assert_eq!(world.end(fence, ending).await.state, TaskState::Cancelled);
    }
}

pub async fn an_unknown_task_is_unknown(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    assert_eq!(world.store.cancel(TaskId::new(), &actor()).await.unwrap(), Cancelling::Unknown);
}

pub async fn a_result_that_comes_first_counts(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.store.cancel(fence.task, &actor()).await.unwrap();
    assert_eq!(world.end(fence, complete()).await.state, TaskState::Succeeded);
}
