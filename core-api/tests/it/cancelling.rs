//! `POST /v1/tasks/{id}/cancel`.

use reqwest::{Method, StatusCode};
use serde_json::json;
use types::TaskId;

use crate::world::{Answer, World, world};

async fn cancel(world: &World, id: TaskId) -> Answer {
    world.send(world.request(Method::POST, &format!("/v1/tasks/{id}/cancel"))).await
}

#[tokio::test]
async fn a_waiting_task_is_cancelled_at_once() {
    let world = world().await;
    let id = world.submit().await;
    let answer = cancel(&world, id).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({ "id": id, "state": "cancelled", "requested": false }));
    assert_eq!(world.get(&format!("/v1/tasks/{id}")).await.json()["state"], "cancelled");
}

#[tokio::test]
async fn a_running_tasks_worker_is_told_to_stop() {
    let world = world().await;
    let id = world.submit().await;
    let lease = world.open(id).await;
    let answer = cancel(&world, id).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json(), json!({ "id": id, "state": "running", "requested": true }));
    assert_eq!(world.get(&format!("/v1/tasks/{id}")).await.json()["cancel_requested"], true);
    lease.cancelled().await.unwrap();
    assert_eq!(world.get(&format!("/v1/tasks/{id}")).await.json()["state"], "cancelled");
}

#[tokio::test]
async fn cancelling_again_changes_nothing() {
    let world = world().await;
    let id = world.submit().await;
    assert_eq!(cancel(&world, id).await.json(), cancel(&world, id).await.json());
}

#[tokio::test]
async fn what_has_ended_otherwise_cannot_be_cancelled() {
    let world = world().await;
    let id = world.submit().await;
    world.complete(id).await;
    let answer = cancel(&world, id).await;
    answer.assert_problem(409, "task_ended");
    assert!(answer.text().contains("succeeded"), "{}", answer.text());
}
