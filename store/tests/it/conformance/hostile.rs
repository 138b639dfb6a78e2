//! Absurd values: the store takes them as they are, or at its own ends, and its laws hold.

use std::time::Duration;

use store::{Concurrency, Edit, LeaseSweep, NewApiKey, NewTask, Opened, Renewal, Retention, Scope, TaskFilter};
use types::{ApiKeyId, Role, TaskId, TaskState, Timestamp};

use crate::world::{Limits, World, actor, complete, new_document, new_step, new_task};

const STRANGE: &str = "'; DROP TABLE tasks; -- \" \\ % _ \u{202e}🦀 \r\n {given} $1 \u{feff}";

pub async fn strange_texts_come_back_as_they_were(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let text = Some(STRANGE.to_owned());
    let asked = NewTask {
        input: text.clone(),
        idempotency_key: text.clone(),
        callback_url: text.clone(),
        concurrency: Some(Concurrency { key: STRANGE.to_owned(), limit: 1 }),
        ..new_task()
    };
    let id = world.accept(asked.clone()).await.id;
    assert!(world.accept(asked.clone()).await.existing);
    let task = world.task(id).await;
    assert_eq!((task.input, task.idempotency_key, task.callback_url), (text.clone(), text.clone(), text));
    assert_eq!(task.concurrency, asked.concurrency);
    world.store.pause(&Scope::All, STRANGE, &actor()).await.unwrap();
    assert_eq!(world.store.pauses().await.unwrap()[0].reason, STRANGE);
    world.store.resume(&Scope::All, &actor()).await.unwrap();
    let (team, role) = ("sales".parse().unwrap(), Role::Admin);
    let (name, sha256) = (STRANGE.to_owned(), STRANGE.to_owned());
    let key = NewApiKey { id: ApiKeyId::random(), team, role, name, sha256, expires_at: None };
    let key = world.store.create_key(key, &actor()).await.unwrap();
    assert_eq!(world.store.key_by_digest(STRANGE).await.unwrap(), Some(key));
    let fence = world.open(id).await;
    world.end(fence, complete()).await;
    assert_eq!(world.store.webhooks_due(1).await.unwrap()[0].url, STRANGE);
    world.assert_conserved().await;
}

/// No text of PostgreSQL's can hold it, so no store gives it back.
pub async fn a_nul_does_no_harm(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let input = Some("before\0after".to_owned());
    let id = world.accept(NewTask { input, ..new_task() }).await.id;
    assert_eq!(world.task(id).await.input.as_deref(), Some("before\u{fffd}after"));
    let fence = world.open(id).await;
    let summary = serde_json::json!({ "nul": "\0" });
    world.store.record_step(fence, store::NewStep { summary, ..new_step(world.now()) }).await.unwrap();
    world.end(fence, store::Ending::Complete { output: serde_json::json!({ "nul": "\0" }) }).await;
    world.store.steps(id).await.unwrap();
    assert_eq!(world.state(id).await, TaskState::Succeeded);
}

pub async fn durations_without_end_are_held_at_the_last_moment(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let end = Timestamp::from_millis(i64::MAX);
    let task = world.queued().await;
    let Opened::Held(held) = world.store.open(task, &world.worker, Duration::MAX).await.unwrap() else { panic!() };
    assert_eq!(held.lease_until, Some(end));
    let fence = store::Fence { task, attempt: held.attempt };
    assert_eq!(world.store.renew(&[fence], Duration::MAX).await.unwrap(), [Renewal::Held(end)]);
    let step = store::NewStep {
        duration: Duration::MAX,
        prompt_tokens: u64::MAX,
        completion_tokens: 1,
        ..new_step(Timestamp::from_millis(i64::MIN))
    };
    world.store.record_step(fence, step).await.unwrap();
    world.end(fence, complete()).await;
    world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    let kept = Some(Duration::MAX);
    let ever = Retention { succeeded: kept, failed: kept, cancelled: kept, dead: kept, documents: kept };
    assert_eq!(world.store.prune(&ever, u32::MAX).await.unwrap(), store::Pruned::default());
}

pub async fn moments_at_the_ends_of_time_are_kept(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
    let never = world.accept(NewTask { due_at: Some(last), deadline_at: Some(last), ..new_task() }).await.id;
    assert_eq!((world.state(never).await, world.task(never).await.due_at), (TaskState::Scheduled, Some(last)));
    let over = world.accept(NewTask { due_at: Some(first), deadline_at: Some(first), ..new_task() }).await.id;
    world.sweep().await;
    assert_eq!(world.state(over).await, TaskState::Failed);
    let all = TaskFilter { ended_before: Some(last), ..TaskFilter::default() };
    assert_eq!(world.store.tasks(&all, None, 10).await.unwrap().tasks.len(), 1);
}

pub async fn the_largest_counts_are_taken(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let concurrency = Some(Concurrency { key: "k".repeat(255), limit: u32::MAX });
    let asked = NewTask { cost: u32::MAX, max_retries: Some(u32::MAX), concurrency, ..new_task() };
    let id = world.accept(asked.clone()).await.id;
    let task = world.task(id).await;
    assert_eq!((task.cost, task.max_retries, task.concurrency), (u32::MAX, Some(u32::MAX), asked.concurrency));
    let fence = world.open(id).await;
    world.end(fence, complete()).await;
    let all = TaskFilter::default();
    assert_eq!(world.store.tasks(&all, None, u32::MAX).await.unwrap().tasks.len(), 1);
    assert!(world.store.tasks(&all, None, 0).await.unwrap().tasks.is_empty());
    assert_eq!(world.store.events(id, i64::MIN, u32::MAX).await.unwrap().len(), 3);
    assert!(world.store.events(id, i64::MAX, 1).await.unwrap().is_empty());
    assert!(world.store.take_outbox(0).await.unwrap().is_empty());
    world.store.take_outbox(u32::MAX).await.unwrap();
    assert!(world.store.still_queued(&vec![TaskId::new(); 5000]).await.unwrap().is_empty());
    world.store.sweep(u32::MAX, LeaseSweep::Expire).await.unwrap();
}

/// A cost of nothing would let a team take everything, a limit of nothing would keep a task for ever.
pub async fn nothing_counts_as_one(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let concurrency = Some(Concurrency { key: "crm".to_owned(), limit: 0 });
    let id = world.accept(NewTask { cost: 0, concurrency, ..new_task() }).await.id;
    assert_eq!(world.task(id).await.cost, 1);
    world.open(id).await;
}

pub async fn an_edit_can_be_as_strange_as_a_task(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let dead = world.dead().await;
    let edit = Edit { input: Some(STRANGE.to_owned()), max_retries: Some(u32::MAX), ..Edit::default() };
    world.store.requeue(dead, &edit, &actor()).await.unwrap();
    assert_eq!(world.task(dead).await.input.as_deref(), Some(STRANGE));
}
