//! `/v1/queue`.

use std::sync::Arc;

use serde_json::{Value, json};
use store::ProcessBeat;
use types::{ProcessId, ProcessRole};

use crate::world::{Limits, World, world};

#[tokio::test]
async fn the_queue_is_shown_by_class_and_state() {
    let world = world().await;
    world.submit().await;
    let running = world.submit().await;
    let lease = world.open(running).await;
    let later = json!({ "agent": "summary", "input": "x", "class": "batch", "not_before": "2999-01-01T00:00:00Z" });
    world.post("/v1/tasks", &later).await;
    let queue = world.get("/v1/queue").await.json();
    assert_eq!(
        (&queue["tasks"]["queued"], &queue["tasks"]["running"], &queue["tasks"]["scheduled"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let class = |at: usize| &queue["classes"][at];
    assert_eq!(
        (&class(1)["class"], &class(1)["queued"], &class(1)["running"]),
        (&json!("normal"), &json!(1), &json!(1))
    );
    assert!(class(1)["oldest_queued_seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!((&class(2)["class"], &class(2)["scheduled"]), (&json!("batch"), &json!(1)));
    assert_eq!(class(2).get("oldest_queued_seconds"), None);
    assert_eq!((&queue["queue_reachable"], queue.get("conservation")), (&json!(true), None));
    lease.release().await.unwrap();
}

#[tokio::test]
async fn every_promise_is_counted_when_asked_for() {
    let world = world().await;
    let id = world.submit().await;
    world.submit().await;
    world.complete(id).await;
    let count = world.get("/v1/queue?conservation=true").await.json()["conservation"].clone();
    let expected = json!({ "accepted": 2, "terminal": 1, "held": 1, "pruned": 0, "figured": 2, "holds": true });
    assert_eq!(count, expected);
}

#[tokio::test]
async fn live_processes_are_shown() {
    let world = world().await;
    let process = ProcessId::new();
    let beat = ProcessBeat { process: process.clone(), role: ProcessRole::Worker, slots: 4, busy: 3 };
    world.store.beat(&beat).await.unwrap();
    let shown = world.get("/v1/queue").await.json()["processes"][0].clone();
    assert_eq!((&shown["process"], &shown["role"]), (&json!(process), &json!("worker")));
    assert_eq!((&shown["slots"], &shown["busy"]), (&json!(4), &json!(3)));
}

#[tokio::test]
async fn a_queue_that_cannot_be_reached_is_told() {
    let queue = Arc::new(|| Err("redis://127.0.0.1:6379 refuses connections".to_owned()));
    let world = World::new(Limits { queue, ..Limits::default() }).await;
    assert_eq!(world.get("/v1/queue").await.json()["queue_reachable"], false);
}

async fn pauses(world: &World) -> Vec<(String, String)> {
    let queue = world.get("/v1/queue").await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    queue["pauses"].as_array().unwrap().iter().map(|pause| (text(&pause["scope"]), text(&pause["reason"]))).collect()
}

#[tokio::test]
async fn what_is_paused_is_shown_until_it_is_resumed() {
    let world = world().await;
    for scope in ["all", "class:batch", "agent:summary", "team:sales"] {
        let paused =
            world.post("/v1/queue/pause", &json!({ "scope": scope, "reason": "the tool is down" })).await.json();
        assert_eq!((&paused["scope"], &paused["by"]), (&json!(scope), &json!("rest:unauthenticated")));
    }
    world.post("/v1/queue/pause", &json!({ "scope": "all", "reason": "moving" })).await;
    assert_eq!(pauses(&world).await.len(), 4);
    assert!(pauses(&world).await.contains(&("all".to_owned(), "moving".to_owned())));
    for was_paused in [true, false] {
        let resumed = world.post("/v1/queue/resume", &json!({ "scope": "class:batch" })).await.json();
        assert_eq!(resumed, json!({ "scope": "class:batch", "was_paused": was_paused }));
    }
    assert_eq!(pauses(&world).await.len(), 3);
}

#[tokio::test]
async fn a_pause_of_nothing_is_refused() {
    let world = world().await;
    for (scope, reason, code) in [
        ("everything", "x", "bad_scope"),
        ("class:urgent", "x", "bad_scope"),
        ("agent:nobody", "x", "unknown_agent"),
        ("all", " ", "bad_reason"),
        ("all", &"x".repeat(501), "bad_reason"),
    ] {
        let asked = json!({ "scope": scope, "reason": reason });
        world.post("/v1/queue/pause", &asked).await.assert_problem(422, code);
    }
    world.post("/v1/queue/pause", &json!({ "scope": "all" })).await.assert_problem(422, "bad_body");
    world.post("/v1/queue/resume", &json!({ "scope": "everything" })).await.assert_problem(422, "bad_scope");
    assert_eq!(pauses(&world).await, []);
}
