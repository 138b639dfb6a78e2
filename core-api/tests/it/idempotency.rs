//! `Idempotency-Key`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, World, task, world};

async fn submit(world: &World, key: &str, body: &Value) -> Answer {
    world.send(world.request(Method::POST, "/v1/tasks").header("Idempotency-Key", key).json(body)).await
}

#[tokio::test]
async fn the_same_key_gives_the_same_task_back() {
    let world = world().await;
    let first = submit(&world, "order-1", &task()).await;
    let second = submit(&world, "order-1", &task()).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_eq!(first.json(), second.json());
    assert_ne!(submit(&world, "order-2", &task()).await.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn a_replay_shows_how_far_the_task_has_come() {
    let world = world().await;
    let id = submit(&world, "order-1", &task()).await.json()["id"].as_str().unwrap().parse().unwrap();
    world.complete(id).await;
    assert_eq!(submit(&world, "order-1", &task()).await.json()["output"], json!({ "summary": "short" }));
    let waited = world.request(Method::POST, "/v1/tasks?wait=30").header("Idempotency-Key", "order-1").json(&task());
    assert_eq!(world.send(waited).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_same_key_for_something_else_is_a_conflict() {
    let world = world().await;
    submit(&world, "order-1", &task()).await;
    let other = submit(&world, "order-1", &json!({ "agent": "summary", "input": "Something else." })).await;
    other.assert_problem(409, "idempotency_conflict");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let world = world().await;
    for key in [String::new(), "x".repeat(256), "schlüssel".to_owned()] {
        submit(&world, &key, &task()).await.assert_problem(400, "bad_idempotency_key");
    }
}

#[tokio::test]
async fn a_key_in_the_body_counts_more_than_the_header() {
    let world = world().await;
    let keyed = json!({ "agent": "summary", "input": "Summarise this.", "idempotency_key": "order-1" });
    let in_body = submit(&world, "order-2", &keyed).await.json();
    assert_eq!(submit(&world, "order-1", &task()).await.json()["id"], in_body["id"]);
    assert_ne!(submit(&world, "order-2", &task()).await.json()["id"], in_body["id"]);
}
