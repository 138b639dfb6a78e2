//! Health, readiness, metrics, and what is asked wrongly.

use std::sync::Arc;

use reqwest::{Method, StatusCode};

use crate::world::{Limits, World, world};

#[tokio::test]
async fn a_healthy_server_says_so() {
    let world = world().await;
    assert_eq!(world.get("/healthz").await.text(), "ok\n");
    assert_eq!(world.get("/readyz").await.text(), "ready\n");
}

#[tokio::test]
async fn what_stands_still_is_named() {
    let health = Arc::new(|| Err("the engine of model pocket has not moved for 31 s".to_owned()));
    let world = World::new(Limits { health, ..Limits::default() }).await;
    let answer = world.get("/healthz").await;
    answer.assert_problem(503, "no_progress");
    assert!(answer.text().contains("model pocket"), "{}", answer.text());
}

#[tokio::test]
async fn metrics_are_in_prometheus_text_format_and_up_to_date() {
    let world = world().await;
    world.submit().await;
    let answer = world.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    for line in [
        "openclaw_tasks{state=\"queued\"} 1",
        "openclaw_tasks{state=\"succeeded\"} 0",
        "openclaw_queue_depth{class=\"normal\"} 1",
        "openclaw_queue_depth{class=\"interactive\"} 0",
        "openclaw_tasks_accepted_total 1",
        "openclaw_tasks_finished_total{state=\"dead\"} 0",
        "# TYPE openclaw_queue_oldest_age_seconds gauge",
        "# TYPE openclaw_store_write_seconds histogram",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let world = world().await;
    for path in ["/healthz", "/metrics", "/v1/tasks", "/openapi.json"] {
        let (head, get) = (world.send(world.request(Method::HEAD, path)).await, world.get(path).await);
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_refused_with_the_right_ones() {
    let world = world().await;
    let answer = world.send(world.request(Method::DELETE, "/v1/tasks")).await;
    answer.assert_problem(405, "wrong_method");
    let mut allowed: Vec<&str> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn an_unknown_route_is_a_problem() {
    let world = world().await;
    for path in ["/", "/v1", "/v1/tasks/", "/v2/tasks"] {
        world.get(path).await.assert_problem(404, "no_such_route");
    }
}

#[tokio::test]
async fn a_panic_costs_its_request_and_nothing_else() {
    let world = World::new(Limits { health: Arc::new(|| panic!("private words")), ..Limits::default() }).await;
    let answer = world.get("/healthz").await;
    answer.assert_problem(500, "internal");
    assert!(!answer.text().contains("private words"), "{}", answer.text());
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
}
