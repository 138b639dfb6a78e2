//! What the interface does while the process ends.

use std::time::Duration;

use core_api::Readiness;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{World, task, world};

/// Far longer than any of this takes; a test that hangs says so.
const HANGS: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_draining_server_refuses_new_tasks_and_nothing_else() {
    let world = world().await;
    let id = world.submit().await;
    world.readiness.send_replace(Readiness::Draining);
    let answer = world.post("/v1/tasks", &task()).await;
    answer.assert_problem(503, "draining");
    assert_eq!(answer.header("retry-after"), Some("5"));
    world.get("/readyz").await.assert_problem(503, "draining");
    for path in [format!("/v1/tasks/{id}"), "/v1/tasks".to_owned(), "/healthz".to_owned(), "/metrics".to_owned()] {
        assert_eq!(world.get(&path).await.status, StatusCode::OK, "{path}");
    }
    let document = world.send(world.request(Method::POST, "/v1/documents").body("text")).await;
    assert_eq!(document.status, StatusCode::CREATED);
    let cancelled = world.post(&format!("/v1/tasks/{id}/cancel"), &json!({})).await;
    assert_eq!(cancelled.status, StatusCode::OK);
}

#[tokio::test]
async fn a_task_that_ends_while_the_server_drains_is_still_answered() {
    let world = world().await;
    let request = world.request(Method::POST, "/v1/tasks?wait=30").json(&task());
    let (answer, ()) = tokio::join!(world.send(request), async {
        let id = world.next_task(0).await;
        world.readiness.send_replace(Readiness::Draining);
        world.complete(id).await;
    });
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn who_waits_when_the_store_closes_keeps_the_promise_and_not_the_process() {
    let world = world().await;
    let request = world.request(Method::POST, "/v1/tasks?wait=60").json(&task());
    let (answer, ()) = tokio::join!(world.send(request), async {
        world.next_task(0).await;
        world.readiness.send_replace(Readiness::Draining);
        world.store.close().await;
    });
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::ACCEPTED, &json!("queued")));
    ends(world).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_store_closes_and_lets_the_process_end() {
    let world = world().await;
    let id = world.submit().await;
    let mut stream = world.request(Method::GET, &format!("/v1/tasks/{id}/events")).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    world.readiness.send_replace(Readiness::Draining);
    world.store.close().await;
    assert_eq!(stream.chunk().await.unwrap(), None);
    drop(stream);
    ends(world).await;
}

async fn ends(world: World) {
    tokio::time::timeout(HANGS, world.stop()).await.expect("the server ends");
}

#[tokio::test]
async fn a_closed_store_is_said_to_be_stopping() {
    let world = world().await;
    let id = world.submit().await;
    world.store.close().await;
    for path in [format!("/v1/tasks/{id}"), "/v1/tasks".to_owned(), "/metrics".to_owned()] {
        let answer = world.get(&path).await;
        answer.assert_problem(503, "stopping");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    world.post("/v1/tasks", &task()).await.assert_problem(503, "stopping");
}
