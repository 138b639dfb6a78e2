//! `POST /v1/tasks/{id}/retry`.

use reqwest::{Method, StatusCode};
use serde_json::json;
use types::{StopReason, TaskId};

use crate::world::{Answer, World, world};

async fn retry(world: &World, id: TaskId) -> Answer {
    world.send(world.request(Method::POST, &format!("/v1/tasks/{id}/retry"))).await
}

#[tokio::test]
async fn a_dead_task_is_queued_again_and_can_succeed() {
    let world = world().await;
    let id = world.submit().await;
    world.bury(id).await;
    let answer = retry(&world, id).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let task = answer.json();
    assert_eq!((&task["id"], &task["state"], &task["failures"]), (&json!(id), &json!("queued"), &json!(0)), "{task}");
    world.complete(id).await;
    assert_eq!(world.get(&format!("/v1/tasks/{id}")).await.json()["state"], "succeeded");
}

#[tokio::test]
async fn what_is_not_dead_is_refused_with_its_state_and_left_alone() {
    let world = world().await;
    let failed = world.submit().await;
    world.fail(failed, StopReason::Timeout).await;
    let waiting = world.submit().await;
    for (id, state) in [(failed, "failed"), (waiting, "queued")] {
        let answer = retry(&world, id).await;
        answer.assert_problem(409, "task_not_dead");
        assert_eq!(answer.json()["task"]["state"], state, "{}", answer.text());
        assert_eq!(world.get(&format!("/v1/tasks/{id}")).await.json()["state"], state);
    }
}

#[tokio::test]
async fn an_unknown_task_and_another_teams_cannot_be_retried() {
    let world = world().await;
    for id in [TaskId::new(), world.foreign_task().await] {
        retry(&world, id).await.assert_problem(404, "not_found");
    }
}
