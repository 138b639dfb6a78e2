//! What is told of a task: events, steps, changes, audit.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use store::{Change, EventKind, StepKind, wait};
use types::TaskState;

use crate::world::{Limits, World, actor, complete, new_step, retry};

pub async fn events_come_in_order_and_from_where_a_reader_left_off(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    // Another task's events in between are not this one's.
    world.held().await;
    world.store.record_step(fence, new_step(world.now())).await.unwrap();
    world.end(fence, retry()).await;
    let all = world.store.events(fence.task, 0, 100).await.unwrap();
    let kinds: Vec<_> = all.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Accepted, EventKind::Started, EventKind::Step, EventKind::Retrying]);
    assert!(all.is_sorted_by_key(|event| event.seq));
    assert_eq!(all[2].data["summary"]["tool"], "pdf_parse");
    assert_eq!(world.store.events(fence.task, all[1].seq, 100).await.unwrap(), all[2..]);
    assert_eq!(world.store.events(fence.task, 0, 2).await.unwrap(), all[..2]);
}

pub async fn steps_are_numbered_and_their_tokens_add_up(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.held().await;
    assert_eq!(world.store.record_step(first, new_step(world.now())).await.unwrap(), 1);
    assert_eq!(world.store.record_step(first, new_step(world.now())).await.unwrap(), 2);
    world.end(first, store::Ending::Release).await;
    let second = world.open(first.task).await;
    assert_eq!(world.store.record_step(second, new_step(world.now())).await.unwrap(), 3);
    let steps = world.store.steps(first.task).await.unwrap();
    let numbers: Vec<_> = steps.iter().map(|step| (step.attempt.0, step.ordinal)).collect();
    assert_eq!(numbers, [(1, 1), (1, 2), (2, 3)]);
    let step = &steps[0];
    assert_eq!((step.kind, step.started_at, step.duration), (StepKind::Tool, world.now(), Duration::from_millis(250)));
    assert_eq!((step.prompt_tokens, step.completion_tokens), (100, 20));
    assert_eq!(step.summary, json!({ "tool": "pdf_parse" }));
    let task = world.task(first.task).await;
    assert_eq!((task.steps, task.prompt_tokens, task.completion_tokens), (3, 300, 60));
}

pub async fn changes_are_told_after_the_commit(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let mut changes = world.store.changes();
    let fence = world.held().await;
    let task = fence.task;
    let change = |kind, state| Change { task, kind, state };
    assert_eq!(changes.recv().await.unwrap(), change(EventKind::Accepted, TaskState::Queued));
    assert_eq!(changes.recv().await.unwrap(), change(EventKind::Started, TaskState::Running));
    world.end(fence, complete()).await;
    assert_eq!(changes.recv().await.unwrap(), change(EventKind::Succeeded, TaskState::Succeeded));
}

pub async fn the_audit_log_says_who_did_what(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.store.cancel(fence.task, &actor()).await.unwrap();
    let entries = world.store.audit(0, 100).await.unwrap();
    let [accepted, cancelled] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((accepted.action.as_str(), cancelled.action.as_str()), ("task.accept", "task.cancel"));
    assert_eq!((&cancelled.actor, &cancelled.target), (&actor(), &fence.task.to_string()));
    assert_eq!(cancelled.at, world.now());
    assert_eq!(accepted.details["team"], "sales");
    assert_eq!(world.store.audit(accepted.seq, 100).await.unwrap(), entries[1..]);
}

pub async fn waiting_for_a_task_ends_with_it(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    let waiting = {
        let store = Arc::clone(&world.store);
        tokio::spawn(async move { wait(&*store, fence.task, Duration::from_secs(60)).await.unwrap().unwrap() })
    };
    world.end(fence, complete()).await;
    assert_eq!(waiting.await.unwrap().state, TaskState::Succeeded);
}

pub async fn waiting_for_a_task_ends_with_patience(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    let task = wait(&*world.store, fence.task, Duration::from_millis(1)).await.unwrap().unwrap();
    assert_eq!(task.state, TaskState::Running);
    assert_eq!(wait(&*world.store, types::TaskId::new(), Duration::from_secs(60)).await.unwrap(), None);
}
