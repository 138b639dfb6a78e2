//! `?wait=S` and `Prefer: wait=S`.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use types::{StopReason, TaskId};

use crate::world::{Answer, Limits, World, task, world};

/// Submits with a wait while `work` does something with the task.
async fn submit_and(world: &World, work: impl AsyncFnOnce(TaskId)) -> Answer {
    let request = world.request(Method::POST, "/v1/tasks").header("Prefer", "respond-async, wait=30").json(&task());
    let (answer, ()) = tokio::join!(world.send(request), async { work(world.next_task(0).await).await });
    answer
}

#[tokio::test]
async fn a_waiting_caller_gets_the_result_itself() {
    let world = world().await;
    let answer = submit_and(&world, async |id| world.complete(id).await).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["output"], json!({ "summary": "short" }));
    assert_eq!(answer.header("preference-applied"), Some("wait=30"));
    assert!(answer.header("location").unwrap().starts_with("/v1/tasks/"));
}

#[tokio::test]
async fn a_waiting_caller_hears_of_a_failure_by_the_status() {
    for (reason, status, code) in
        [(StopReason::StepLimit, 422, "task_failed"), (StopReason::Timeout, 504, "task_timed_out")]
    {
        let world = world().await;
        let answer = submit_and(&world, async |id| world.fail(id, reason).await).await;
        answer.assert_problem(status, code);
        let problem = answer.json();
        assert_eq!(problem["task"]["stop_reason"], reason.as_str());
        assert!(problem["detail"].as_str().unwrap().contains("pdf_parse answered 503"), "{problem}");
        assert_eq!(answer.header("preference-applied"), Some("wait=30"));
    }
}

#[tokio::test]
async fn a_waiting_caller_hears_of_a_dead_letter() {
    let world = world().await;
    submit_and(&world, async |id| world.bury(id).await).await.assert_problem(502, "task_dead");
}

#[tokio::test]
async fn a_waiting_caller_hears_of_a_cancellation() {
    let world = world().await;
    let cancel = async |id: TaskId| {
        world.store.cancel(id, &store::Actor::new("user:ann")).await.unwrap();
    };
    submit_and(&world, cancel).await.assert_problem(409, "task_cancelled");
}

#[tokio::test]
async fn when_the_wait_is_over_first_the_task_is_shown_as_it_stands() {
    let world = World::new(Limits { max_wait: Duration::from_millis(50), ..Limits::default() }).await;
    let answer = world.post("/v1/tasks?wait=3600", &task()).await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::ACCEPTED, &json!("queued")));
    // Nobody asked by header.
    assert_eq!(answer.header("preference-applied"), None);
    let answer = world.get(&format!("{}?wait=1", answer.header("location").unwrap())).await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("queued")));
}

#[tokio::test]
async fn no_wait_is_longer_than_the_server_allows() {
    let world = World::new(Limits { max_wait: Duration::from_secs(1), ..Limits::default() }).await;
    let request = world.request(Method::POST, "/v1/tasks").header("Prefer", "wait=18446744073709551615");
    assert_eq!(world.send(request.json(&task())).await.header("preference-applied"), Some("wait=1"));
}

#[tokio::test]
async fn a_task_can_be_waited_for_later() {
    let world = world().await;
    let id = world.submit().await;
    let request = world.request(Method::GET, &format!("/v1/tasks/{id}")).header("Prefer", "wait=30");
    let (answer, ()) = tokio::join!(world.send(request), world.fail(id, StopReason::StepLimit));
    // A task that failed is shown like any other: the request for it went well.
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("failed")));
    assert_eq!(answer.header("preference-applied"), Some("wait=30"));
}

#[tokio::test]
async fn a_wait_that_is_no_number_is_refused() {
    let world = world().await;
    let request = world.request(Method::POST, "/v1/tasks").header("Prefer", "wait=soon").json(&task());
    world.send(request).await.assert_problem(400, "bad_prefer");
    let answer = world.post("/v1/tasks?wait=soon", &task()).await;
    answer.assert_problem(400, "bad_query");
    assert!(answer.json()["detail"].as_str().unwrap().contains("wait: "), "{}", answer.text());
    assert_eq!(world.get("/v1/tasks").await.json()["tasks"], json!([]), "nothing was accepted");
}
