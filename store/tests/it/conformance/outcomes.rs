//! How attempts end.

use serde_json::json;
use store::{Ended, Ending, EventKind, NewTask};
use types::{StopReason, TaskState};

use crate::world::{LEASE, Limits, POLICY, SECOND, World, assert_lost, complete, failure, new_task, retry};

pub async fn a_completed_task_keeps_its_output(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.clock.advance(SECOND);
    assert_eq!(world.end(fence, complete()).await, Ended { state: TaskState::Succeeded, due_at: None });
    let task = world.task(fence.task).await;
    assert_eq!((task.state, task.stop_reason), (TaskState::Succeeded, Some(StopReason::Completed)));
    assert_eq!(task.output, Some(json!({ "summary": "short" })));
    assert_eq!((task.finished_at, task.lease_until), (Some(world.now()), None));
    world.assert_conserved().await;
}

pub async fn a_failed_task_keeps_its_reason(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.end(fence, Ending::Fail(failure())).await;
    let task = world.task(fence.task).await;
    assert_eq!((task.state, task.stop_reason), (TaskState::Failed, Some(StopReason::ToolError)));
    assert_eq!(task.error.as_deref(), Some("pdf_parse answered 503"));
}

pub async fn a_task_ends_once(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.end(fence, complete()).await;
    for ending in [Ending::Fail(failure()), retry(), Ending::Bury(failure()), Ending::Release, Ending::Cancelled] {
        assert_lost(world.store.end(fence, ending).await, fence);
    }
    assert_eq!(world.state(fence.task).await, TaskState::Succeeded);
    assert_eq!(world.event_kinds(fence.task).await, [EventKind::Accepted, EventKind::Started, EventKind::Succeeded]);
}

pub async fn an_outcome_written_again_by_its_attempt_is_the_same_outcome(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    for ending in [complete(), Ending::Fail(failure()), retry(), Ending::Bury(failure()), Ending::Release] {
        let fence = world.held().await;
        let ended = world.end(fence, ending.clone()).await;
        let before = world.task(fence.task).await;
        assert_eq!(world.end(fence, ending).await, ended);
        assert_eq!(world.task(fence.task).await, before);
    }
    // What became of the task without its worker is not the worker's outcome.
    let fence = world.held().await;
    world.clock.advance(LEASE);
    world.store.cancel(fence.task, &crate::world::actor()).await.unwrap();
    assert_lost(world.store.end(fence, Ending::Cancelled).await, fence);
}

pub async fn a_retried_task_is_scheduled_by_the_policy(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    let due_at = world.now().after(POLICY.initial);
    assert_eq!(world.end(fence, retry()).await, Ended { state: TaskState::Scheduled, due_at: Some(due_at) });
    let task = world.task(fence.task).await;
    assert_eq!((task.state, task.failures, task.due_at), (TaskState::Scheduled, 1, Some(due_at)));
    assert_eq!(task.error.as_deref(), Some("pdf_parse answered 503"));
    world.pass(POLICY.initial).await;
    assert_eq!(world.open(fence.task).await.attempt.0, 2);
}

pub async fn a_retry_is_not_before_the_moment_asked_for(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    for (asked, expected) in [(SECOND, POLICY.initial), (SECOND * 30, SECOND * 30)] {
        let fence = world.held().await;
        let not_before = Some(world.now().after(asked));
        let ending = Ending::Retry { failure: failure(), policy: POLICY, not_before, unit: 0.0 };
        assert_eq!(world.end(fence, ending).await.due_at, Some(world.now().after(expected)));
    }
}

pub async fn a_task_whose_retries_are_spent_is_dead(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.queued().await;
    for expected in [TaskState::Scheduled, TaskState::Scheduled, TaskState::Dead] {
        let fence = world.open(task).await;
        assert_eq!(world.end(fence, retry()).await.state, expected);
        world.pass(POLICY.ceiling).await;
    }
    let task = world.task(task).await;
    assert_eq!((task.failures, task.stop_reason), (3, Some(StopReason::ToolError)));
}

pub async fn the_tasks_own_max_retries_counts(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.accept(NewTask { max_retries: Some(0), ..new_task() }).await.id;
    let fence = world.open(task).await;
    assert_eq!(world.end(fence, retry()).await.state, TaskState::Dead);
}

pub async fn a_released_task_waits_again_with_no_failure_counted(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.outbound().await;
    world.end(fence, Ending::Release).await;
    let task = world.task(fence.task).await;
    assert_eq!((task.state, task.failures, task.losses), (TaskState::Queued, 0, 0));
    assert_eq!(world.outbound().await, [fence.task]);
    assert_eq!(world.open(fence.task).await.attempt.0, 2);
}

pub async fn losses_and_failures_are_counted_apart(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.end(fence, retry()).await;
    world.pass(POLICY.initial).await;
    world.open(fence.task).await;
    world.pass(LEASE).await;
    world.open(fence.task).await;
    let task = world.task(fence.task).await;
    assert_eq!((task.failures, task.losses, task.attempt.0), (1, 1, 3));
}

pub async fn a_buried_task_is_dead(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.dead().await;
    let task = world.task(task).await;
    assert_eq!((task.state, task.stop_reason), (TaskState::Dead, Some(StopReason::ToolError)));
}

pub async fn every_outcome_is_audited(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    for ending in [complete(), retry(), Ending::Release, Ending::Bury(failure()), Ending::Cancelled] {
        let fence = world.held().await;
        world.end(fence, ending).await;
    }
    let entries = world.store.audit(0, 100).await.unwrap();
    let outcomes: Vec<_> = entries.iter().filter(|entry| entry.action != "task.accept").collect();
    let actions: Vec<_> = outcomes.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["task.end", "task.retry", "task.release", "task.end", "task.end"]);
    assert!(outcomes.iter().all(|entry| entry.actor.as_str() == world.worker.to_string()));
}
