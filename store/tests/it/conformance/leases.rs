//! Who may work on a task.

use std::time::Duration;

use store::{EventKind, NewTask, Opened, Renewal, Task};
use types::{StopReason, TaskId, TaskState};

use crate::world::{LEASE, Limits, SECOND, World, actor, assert_lost, complete, new_step, new_task, retry};

pub async fn opening_counts_an_attempt_and_names_the_worker(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.queued().await;
    let Opened::Held(task) = world.try_open(task).await else { panic!("not free") };
    assert_eq!((task.state, task.attempt.0), (TaskState::Running, 1));
    assert_eq!(task.worker, Some(world.worker.clone()));
    assert_eq!((task.started_at, task.lease_until), (Some(world.now()), Some(world.now().after(LEASE))));
    assert_eq!(task.queued_at, Some(world.now()), "its worker may say how long it waited");
    assert_eq!(Task { queued_at: None, ..*task.clone() }, world.task(task.id).await);
    assert_eq!(world.event_kinds(task.id).await, [EventKind::Accepted, EventKind::Started]);
}

pub async fn a_held_task_cannot_be_opened_again(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(world.try_open(fence.task).await, Opened::Gone(TaskState::Running));
}

pub async fn a_task_that_is_not_due_cannot_be_opened(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.accept(NewTask { due_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    assert_eq!(world.try_open(task).await, Opened::Gone(TaskState::Scheduled));
    world.pass(SECOND).await;
    world.open(task).await;
}

pub async fn an_unknown_task_cannot_be_opened(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    assert_eq!(world.try_open(TaskId::new()).await, Opened::Unknown);
}

pub async fn a_renewed_lease_does_not_expire(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    for _ in 0..3 {
        world.clock.advance(LEASE / 2);
        let renewals = world.store.renew(&[fence], LEASE).await.unwrap();
        assert_eq!(renewals, [Renewal::Held(world.now().after(LEASE))]);
    }
    assert_eq!(world.try_open(fence.task).await, Opened::Gone(TaskState::Running));
    world.end(fence, complete()).await;
}

pub async fn an_expired_lease_is_recorded_as_a_loss_before_the_next_attempt(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.held().await;
    world.clock.advance(LEASE);
    assert_eq!(world.try_open(first.task).await, Opened::Gone(TaskState::Running));
    world.sweep().await;
    let second = world.open(first.task).await;
    assert_eq!(second.attempt.0, 2);
    let task = world.task(first.task).await;
    assert_eq!((task.losses, task.failures), (1, 0));
    assert!(world.event_kinds(first.task).await.contains(&EventKind::WorkerLost));
}

pub async fn a_stale_attempt_changes_nothing(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let stale = world.held().await;
    world.pass(LEASE).await;
    let current = world.open(stale.task).await;
    let before = world.task(stale.task).await;
    assert_lost(world.store.end(stale, complete()).await, stale);
    assert_lost(world.store.end(stale, retry()).await, stale);
    assert_lost(world.store.record_step(stale, new_step(world.now())).await, stale);
    assert_eq!(world.store.renew(&[stale], LEASE * 2).await.unwrap(), [Renewal::Lost]);
    assert_eq!(world.task(stale.task).await, before);
    world.end(current, complete()).await;
}

pub async fn past_max_losses_the_task_is_dead_as_poison(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits { max_losses: 2, ..Limits::default() }).await;
    let task = world.queued().await;
    for _ in 0..=2 {
        world.open(task).await;
        world.pass(LEASE).await;
    }
    assert_eq!(world.try_open(task).await, Opened::Gone(TaskState::Dead));
    let task = world.task(task).await;
    assert_eq!((task.stop_reason, task.losses, task.failures), (Some(StopReason::Poison), 3, 0));
    assert!(task.error.unwrap().starts_with("3 workers were lost while they held this task"));
}

pub async fn renewal_answers_for_each_lease(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (kept, ended, asked) = (world.held().await, world.held().await, world.held().await);
    world.end(ended, complete()).await;
    world.store.cancel(asked.task, &actor()).await.unwrap();
    let until = world.now().after(LEASE);
    assert_eq!(
        world.store.renew(&[kept, ended, asked], LEASE).await.unwrap(),
        [Renewal::Held(until), Renewal::Lost, Renewal::CancelRequested(until)]
    );
}

pub async fn a_task_past_its_deadline_fails_instead_of_opening(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.accept(NewTask { deadline_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    world.clock.advance(SECOND);
    assert_eq!(world.try_open(task).await, Opened::Gone(TaskState::Failed));
    assert_eq!(world.task(task).await.stop_reason, Some(StopReason::Timeout));
}
