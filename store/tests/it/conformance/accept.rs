//! What a caller is promised.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use store::{AcceptError, EventKind, NewTask};
use tokio::task::JoinSet;
use types::{TaskClass, TaskState};

use crate::world::{Limits, World, actor, new_document, new_task, unknown_document};

pub async fn an_accepted_task_is_there_with_all_that_was_asked(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let document = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    let asked = NewTask {
        class: TaskClass::Batch,
        documents: vec![document.id.clone()],
        idempotency_key: Some("order-7".to_owned()),
        deadline_at: Some(world.now().after(Duration::from_secs(600))),
        max_retries: Some(5),
        ..new_task()
    };
    let accepted = world.accept(asked.clone()).await;
    assert!(!accepted.existing);
    assert_eq!((accepted.state, accepted.accepted_at), (TaskState::Queued, world.now()));
    let task = world.task(accepted.id).await;
    assert_eq!(
        (task.team, task.agent, task.class, task.input, task.documents, task.idempotency_key, task.deadline_at),
        (asked.team, asked.agent, asked.class, asked.input, asked.documents, asked.idempotency_key, asked.deadline_at)
    );
    assert_eq!((task.state, task.attempt.0, task.failures, task.losses), (TaskState::Queued, 0, 0, 0));
    assert_eq!(task.max_retries, Some(5));
}

pub async fn accepting_writes_task_event_audit_entry_and_outbox_row(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = world.queued().await;
    assert_eq!(world.event_kinds(task).await, [EventKind::Accepted]);
    assert_eq!(world.audit_actions().await, ["task.accept"]);
    assert_eq!(world.outbound().await, [task]);
    world.assert_conserved().await;
}

pub async fn each_line_of_a_bulk_call_is_answered_in_order(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let empty = NewTask { input: None, ..new_task() };
    let keyed = NewTask { idempotency_key: Some("k".to_owned()), ..new_task() };
    let answers = world.store.accept(vec![keyed.clone(), empty, new_task(), keyed], &actor()).await.unwrap();
    let [Ok(first), Err(AcceptError::Empty), Ok(third), Ok(fourth)] = &answers[..] else { panic!("{answers:?}") };
    assert!(!first.existing && !third.existing && fourth.existing);
    assert_eq!(fourth.id, first.id);
    assert_eq!(world.outbound().await, [first.id, third.id]);
}

pub async fn a_task_needs_input_or_documents(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    for input in [None, Some(" \n".to_owned())] {
        assert_eq!(world.try_accept(NewTask { input, ..new_task() }).await, Err(AcceptError::Empty));
    }
    let document = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    world.accept(NewTask { input: None, documents: vec![document.id], ..new_task() }).await;
}

pub async fn unknown_documents_are_named(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let known = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap().id;
    let task = NewTask { documents: vec![known, unknown_document()], ..new_task() };
    let error = world.try_accept(task).await.unwrap_err();
    assert_eq!(error.to_string(), "team sales has no document doc_000000000000; store it first");
    assert_eq!(world.store.figures().await.unwrap().waiting(), 0);
}

pub async fn another_teams_documents_are_unknown(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let theirs = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap().id;
    let task = NewTask { team: "legal".parse().unwrap(), documents: vec![theirs], ..new_task() };
    assert!(matches!(world.try_accept(task).await, Err(AcceptError::UnknownDocuments { .. })));
}

pub async fn the_same_key_gives_the_same_task_back(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = NewTask { idempotency_key: Some("order-7".to_owned()), ..new_task() };
    let first = world.accept(task.clone()).await;
    world.open(first.id).await;
    // "In ten minutes" is another moment when it is asked again.
    let again = world.accept(NewTask { due_at: Some(world.now().after(Duration::from_secs(9))), ..task }).await;
    assert_eq!((again.id, again.existing, again.state), (first.id, true, TaskState::Running));
    assert_eq!(again.accepted_at, first.accepted_at);
    world.assert_conserved().await;
}

pub async fn the_same_key_with_another_request_is_a_conflict(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let task = NewTask { idempotency_key: Some("order-7".to_owned()), ..new_task() };
    let first = world.accept(task.clone()).await;
    let other = NewTask { input: Some("Something else.".to_owned()), ..task };
    assert_eq!(
        world.try_accept(other).await,
        Err(AcceptError::KeyConflict { key: "order-7".to_owned(), task: first.id })
    );
}

pub async fn a_key_is_unique_only_in_its_team(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let ours = NewTask { idempotency_key: Some("order-7".to_owned()), ..new_task() };
    let theirs = NewTask { team: "legal".parse().unwrap(), ..ours.clone() };
    assert_ne!(world.accept(ours).await.id, world.accept(theirs).await.id);
}

pub async fn a_delayed_task_is_scheduled_and_not_delivered(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let due_at = Some(world.now().after(Duration::from_secs(10)));
    let accepted = world.accept(NewTask { due_at, ..new_task() }).await;
    assert_eq!(accepted.state, TaskState::Scheduled);
    assert_eq!(world.task(accepted.id).await.due_at, due_at);
    assert!(world.outbound().await.is_empty());
}

pub async fn more_than_max_queued_is_refused_and_a_known_key_is_not(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits { max_queued: 2, ..Limits::default() }).await;
    let keyed = NewTask { idempotency_key: Some("k".to_owned()), ..new_task() };
    let first = world.accept(keyed.clone()).await;
    let full = Err(AcceptError::QueueFull { limit: 2 });
    let answers = world.store.accept(vec![new_task(), new_task(), keyed], &actor()).await.unwrap();
    assert!(answers[0].is_ok());
    assert_eq!(answers[1], full);
    assert_eq!(answers[2].as_ref().unwrap().id, first.id);
    // A running task does not wait: there is room again.
    world.open(first.id).await;
    world.queued().await;
    assert_eq!(world.try_accept(new_task()).await, full);
}

pub async fn calls_at_the_same_time_are_all_kept(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let store = Arc::clone(&world.store);
        calls.spawn(async move { store.accept(vec![new_task()], &actor()).await.unwrap().pop().unwrap().unwrap().id });
    }
    let accepted: HashSet<_> = calls.join_all().await.into_iter().collect();
    assert_eq!(accepted.len(), 200);
    assert_eq!(world.outbound().await.into_iter().collect::<HashSet<_>>(), accepted);
    world.assert_conserved().await;
}
