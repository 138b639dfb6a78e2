//! `callback_url` and `/v1/webhooks`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Limits, World, others, world};

async fn allowing(places: &[&str]) -> World {
    let callbacks = places.iter().map(ToString::to_string).collect();
    World::new(Limits { callbacks, ..Limits::default() }).await
}

fn with_callback(url: &str) -> Value {
    json!({ "agent": "summary", "input": "x", "callback_url": url })
}

#[tokio::test]
async fn a_message_is_kept_for_who_wants_to_be_told() {
    let world = allowing(&["https://hooks.example/talon", "http://127.0.0.1:9000"]).await;
    let url = "https://hooks.example/talon/7";
    let task = world.post("/v1/tasks", &with_callback(url)).await.json();
    assert_eq!(task["callback_url"], url);
    assert_eq!(world.get(&format!("/v1/tasks/{}", task["id"].as_str().unwrap())).await.json(), task);
    assert_eq!(world.get("/v1/webhooks").await.json(), json!([]));
    world.complete(task["id"].as_str().unwrap().parse().unwrap()).await;
    let messages = world.get("/v1/webhooks?state=pending").await.json();
    let message = &messages[0];
    assert_eq!((&message["task"], &message["url"]), (&task["id"], &json!(url)), "{messages}");
    assert_eq!((&message["state"], &message["attempts"]), (&json!("pending"), &json!(0)));
    assert_eq!(world.get("/v1/webhooks?state=dead").await.json(), json!([]));
    let plain = world.post("/v1/tasks", &with_callback("http://127.0.0.1:9000/x")).await;
    assert_eq!(plain.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_place_that_is_not_allowed_is_refused() {
    let world = allowing(&["https://hooks.example/talon"]).await;
    for url in [
        "http://hooks.example/talon",
        "https://hooks.example/other",
        "https://hooks.example.evil.example/talon",
        "https://hooks.example@evil.example/talon",
        "https://hooks.example/talon/../other",
        "https://hooks.example:8443/talon",
        "/talon",
        "",
    ] {
        let answer = world.post("/v1/tasks", &with_callback(url)).await;
        answer.assert_problem(422, "callback_not_allowed");
        assert!(answer.text().contains("https://hooks.example/talon"), "{}", answer.text());
    }
    let long = format!("https://hooks.example/talon/{}", "x".repeat(2048));
    world.post("/v1/tasks", &with_callback(&long)).await.assert_problem(422, "callback_not_allowed");
}

#[tokio::test]
async fn where_none_is_allowed_that_is_said() {
    let answer = world().await.post("/v1/tasks", &with_callback("https://hooks.example")).await;
    answer.assert_problem(422, "callback_not_allowed");
    assert!(answer.text().contains("webhooks.allow"), "{}", answer.text());
}

#[tokio::test]
async fn a_dead_message_is_sent_again_and_no_other() {
    let world = allowing(&["https://hooks.example"]).await;
    let task = world.post("/v1/tasks", &with_callback("https://hooks.example")).await.json();
    world.complete(task["id"].as_str().unwrap().parse().unwrap()).await;
    let message = world.store.webhooks_due(10).await.unwrap().remove(0);
    let retry = async |id: &str| world.send(world.request(Method::POST, &format!("/v1/webhooks/{id}/retry"))).await;
    retry(message.id.as_str()).await.assert_problem(404, "not_found");
    world.store.webhook_failed(&message.id, "410 Gone", None).await.unwrap();
    assert_eq!(world.get("/v1/webhooks?state=dead").await.json()[0]["error"], "410 Gone");
    assert_eq!(retry(message.id.as_str()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get("/v1/webhooks").await.json()[0]["state"], "pending");
    for id in ["whk_000000000000", "1"] {
        retry(id).await.assert_problem(404, "not_found");
    }
    assert!(world.store.webhooks(&others(), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused() {
    let world = world().await;
    for query in ["state=lost", "limit=0", "before=1"] {
        world.get(&format!("/v1/webhooks?{query}")).await.assert_problem(400, "bad_query");
    }
}
