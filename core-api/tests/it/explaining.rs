//! `GET /v1/tasks/{id}/explain`.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{Actor, ProcessBeat, Scope};
use types::{ProcessId, ProcessRole, TaskId};

use crate::world::{Limits, World, world};

async fn explain(world: &World, id: TaskId) -> Value {
    world.get(&format!("/v1/tasks/{id}/explain")).await.json()
}

fn codes(explanation: &Value) -> Vec<&str> {
    explanation["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

fn words(explanation: &Value) -> String {
    explanation["reasons"].to_string()
}

async fn worker(world: &World, busy: u32) {
    let beat = ProcessBeat { process: ProcessId::new(), role: ProcessRole::Worker, slots: 4, busy };
    world.store.beat(&beat).await.unwrap();
}

async fn submit(world: &World, body: Value) -> TaskId {
    let answer = world.post("/v1/tasks", &body).await.json();
    answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

#[tokio::test]
async fn a_task_without_workers_waits_for_one() {
    let world = world().await;
    let id = world.submit().await;
    let explanation = explain(&world, id).await;
    assert_eq!(codes(&explanation), ["no_live_worker", "next"]);
    assert_eq!((&explanation["live_workers"], explanation.get("expected_wait_seconds")), (&json!(0), None));
    worker(&world, 4).await;
    let explanation = explain(&world, id).await;
    assert_eq!(codes(&explanation), ["next"]);
    assert_eq!((&explanation["live_workers"], &explanation["busy_workers"]), (&json!(4), &json!(4)));
}

#[tokio::test]
async fn a_place_in_the_line_comes_with_the_time_it_may_take() {
    let world = world().await;
    worker(&world, 0).await;
    for _ in 0..2 {
        let id = world.submit().await;
        world.complete(id).await;
    }
    world.submit().await;
    world.foreign_task().await;
    let id = world.submit().await;
    let explanation = explain(&world, id).await;
    assert_eq!(codes(&explanation), ["in_line"]);
    assert_eq!(explanation["place"], json!({ "ahead_in_class": 2, "ahead_of_team": 1 }));
    // Two ended within a minute, two are ahead.
    assert_eq!(explanation["expected_wait_seconds"], 60);
}

#[tokio::test]
async fn a_pause_is_told_with_its_reason() {
    let world = world().await;
    worker(&world, 0).await;
    let id = world.submit().await;
    let scope: Scope = "agent:summary".parse().unwrap();
    world.store.pause(&scope, "the PDF tool is down", &Actor::new("user:ann")).await.unwrap();
    world.store.pause(&"class:batch".parse().unwrap(), "not this one", &Actor::new("user:ann")).await.unwrap();
    let explanation = explain(&world, id).await;
    assert_eq!(codes(&explanation)[0], "paused");
    assert_eq!(explanation["pauses"].as_array().unwrap().len(), 1);
    for word in ["agent:summary", "user:ann", "the PDF tool is down"] {
        assert!(words(&explanation).contains(word), "{word:?} is not in {explanation}");
    }
    assert_eq!(explanation.get("expected_wait_seconds"), None);
}

#[tokio::test]
async fn a_task_that_is_not_due_says_until_when() {
    let world = world().await;
    worker(&world, 0).await;
    let id = submit(&world, json!({ "agent": "summary", "input": "x", "due_at": "2999-01-01T00:00:00Z" })).await;
    let explanation = explain(&world, id).await;
    assert_eq!(codes(&explanation), ["scheduled"]);
    assert_eq!(explanation["scheduled_until"], "2999-01-01T00:00:00.000Z");
    assert!(words(&explanation).contains("before 2999"), "{explanation}");
    assert_eq!(explanation.get("place"), None);
}

#[tokio::test]
async fn a_retry_says_when_it_is_tried_again() {
    let world = world().await;
    worker(&world, 0).await;
    let id = world.submit().await;
    let policy = store::RetryPolicy { max_retries: 5, ..crate::world::NO_RETRY };
    let lease = world.open(id).await;
    lease.retry(crate::world::failure(types::StopReason::ToolError), &policy, None).await.unwrap();
    let explanation = explain(&world, id).await;
    assert_eq!(codes(&explanation), ["scheduled"]);
    assert!(words(&explanation).contains("failed and is tried again at"), "{explanation}");
}

#[tokio::test]
async fn a_concurrency_key_at_its_limit_is_told() {
    let world = world().await;
    worker(&world, 0).await;
    let keyed = || json!({ "agent": "summary", "input": "x", "concurrency_key": "customer-7" });
    let first = submit(&world, keyed()).await;
    let second = submit(&world, keyed()).await;
    assert_eq!(explain(&world, second).await["concurrency"], json!({ "key": "customer-7", "limit": 1, "running": 0 }));
    let lease = world.open(first).await;
    let explanation = explain(&world, second).await;
    assert_eq!(codes(&explanation)[0], "concurrency_limit");
    assert_eq!(explanation["concurrency"]["running"], 1);
    assert!(words(&explanation).contains("customer-7"), "{explanation}");
    lease.release().await.unwrap();
}

#[tokio::test]
async fn a_queue_that_cannot_be_reached_is_told_with_its_words() {
    let queue = Arc::new(|| Err("redis://127.0.0.1:6379 refuses connections".to_owned()));
    let world = World::new(Limits { queue, ..Limits::default() }).await;
    worker(&world, 0).await;
    let explanation = explain(&world, world.submit().await).await;
    assert_eq!(codes(&explanation), ["queue_unreachable", "next"]);
    assert!(words(&explanation).contains("refuses connections"), "{explanation}");
    assert_eq!(explanation["queue_reachable"], false);
}

#[tokio::test]
async fn what_does_not_wait_says_so() {
    let world = world().await;
    let id = world.submit().await;
    let lease = world.open(id).await;
    assert_eq!(codes(&explain(&world, id).await), ["running"]);
    lease.complete(json!({})).await.unwrap();
    let explanation = explain(&world, id).await;
    assert_eq!(codes(&explanation), ["ended"]);
    assert!(words(&explanation).contains("succeeded"), "{explanation}");
    world.store.close().await;
}

#[tokio::test]
async fn an_unknown_task_and_another_teams_are_not_explained() {
    let world = world().await;
    for id in [TaskId::new(), world.foreign_task().await] {
        world.get(&format!("/v1/tasks/{id}/explain")).await.assert_problem(404, "not_found");
    }
}
