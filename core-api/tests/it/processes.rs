//! Several processes over one database: what one does, the others see.

use reqwest::{Method, StatusCode};
use serde_json::json;
use testbed::{Postgres, PostgresOptions, Shutdown};
use types::Role;

use core_api::KeySecret;

use crate::world::{ADMIN_KEY, Limits, World, keyed, task};

async fn two(limits: fn() -> Limits) -> (World, World) {
    let url = Postgres::shared().await.database().await;
    (World::beside(&url, limits()).await, World::beside(&url, limits()).await)
}

#[tokio::test]
async fn who_waits_here_hears_of_an_end_there() {
    let (here, there) = two(Limits::default).await;
    let request = here.request(Method::POST, "/v1/tasks?wait=60").json(&task());
    let (answer, ()) = tokio::join!(here.send(request), async { there.complete(there.next_task(0).await).await });
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("succeeded")));
}

#[tokio::test]
async fn who_follows_here_sees_what_happens_there() {
    let (here, there) = two(Limits::default).await;
    let id = here.submit().await;
    let path = format!("/v1/tasks/{id}/events");
    let (stream, ()) = tokio::join!(here.get(&path), there.complete(id));
    let text = stream.text();
    for kind in ["accepted", "started", "succeeded"] {
        assert!(text.contains(&format!("event: {kind}\n")), "{text}");
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_here_is_refused_there_within_seconds() {
    let (here, there) = two(keyed).await;
    let secret = here.key("sales", Role::Submitter).await;
    assert_eq!(there.get_as(&secret, "/v1/tasks").await.status, StatusCode::OK);
    let admin = KeySecret::given(ADMIN_KEY);
    let id = here.get_as(&admin, "/v1/keys").await.json()[0]["id"].as_str().unwrap().to_owned();
    here.send_as(&admin, here.request(Method::DELETE, &format!("/v1/keys/{id}"))).await;
    // Ends when the key is forgotten; with the test's patience otherwise.
    while there.get_as(&secret, "/v1/tasks").await.status == StatusCode::OK {}
    there.get_as(&secret, "/v1/tasks").await.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_upload_goes_on_at_another_process() {
    let (here, there) = two(Limits::default).await;
    let batch = async |world: &World| {
        let body = [task().to_string(), task().to_string()].join("\n");
        let request = world.request(Method::POST, "/v1/tasks:batch").header("Idempotency-Key", "upload-1").body(body);
        world.send(request).await.text()
    };
    let (first, again) = (batch(&here).await, batch(&there).await);
    assert_eq!(again.replace(",\"existing\":true", ""), first);
}

#[tokio::test]
async fn a_pause_here_is_told_there() {
    let (here, there) = two(Limits::default).await;
    let id = here.submit().await;
    here.post("/v1/queue/pause", &json!({ "scope": "team:default", "reason": "moving" })).await;
    let explanation = there.get(&format!("/v1/tasks/{id}/explain")).await.json();
    assert_eq!(explanation["reasons"][0]["code"], "paused", "{explanation}");
}

#[tokio::test]
async fn a_database_that_is_away_is_told_and_comes_back() {
    let mut postgres = Postgres::start(PostgresOptions::default()).await;
    let world = World::beside(&postgres.database().await, Limits::default()).await;
    postgres.stop(Shutdown::Immediate).await;
    let answer = world.post("/v1/tasks", &task()).await;
    answer.assert_problem(503, "store_unavailable");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    postgres.restart(Shutdown::Immediate).await;
    while world.post("/v1/tasks", &task()).await.status != StatusCode::ACCEPTED {}
}
