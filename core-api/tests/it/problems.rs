//! The words of every problem that a request can bring about, word for word in `fixtures/problems.txt`.

use std::fmt::Write;
use std::sync::Arc;

use core_api::{KeySecret, Readiness};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use store::Actor;
use types::{Role, StopReason, TaskId};

use crate::world::{Limits, World, keyed_world, task, world};

/// What was sent and what came back, with ids and moments blotted out.
struct Album(String);

impl Album {
    async fn add(&mut self, world: &World, what: &str, request: RequestBuilder) {
        let answer = world.send(request).await;
        assert_eq!(answer.media_type().as_deref(), Some("application/problem+json"), "{what}: {answer:?}");
        let mut problem = answer.json();
        if let Some(task) = problem.get_mut("task") {
            *task = json!({ "state": task["state"], "stop_reason": task["stop_reason"] });
        }
        let text = blot(&serde_json::to_string_pretty(&problem).unwrap());
        writeln!(self.0, "# {what}\n{text}\n").unwrap();
    }
}

/// Ids become `ID`, this year's moments `MOMENT`.
fn blot(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let is_moment =
            bare.len() > 20 && bare.ends_with('Z') && bare.as_bytes()[10] == b'T' && !bare.starts_with("2999");
        match bare.parse::<TaskId>() {
            _ if bare.starts_with("key_") || bare.starts_with("key:key_") => word.replace(bare, "KEY"),
            Ok(_) => word.replace(bare, "ID"),
            Err(_) if is_moment => word.replace(bare, "MOMENT"),
            Err(_) => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn post(world: &World, path: &str, body: &Value) -> RequestBuilder {
    world.request(Method::POST, path).json(body)
}

fn get(world: &World, path: &str) -> RequestBuilder {
    world.request(Method::GET, path)
}

#[tokio::test]
async fn problems_say_what_where_and_what_to_do() {
    let mut album = Album(String::new());
    callers(&mut album).await;
    wrong_requests(&mut album).await;
    unusable_tasks(&mut album).await;
    documents(&mut album).await;
    operators_slips(&mut album).await;
    bad_ends(&mut album).await;
    limits(&mut album).await;
    assert_eq!(album.0, include_str!("../fixtures/problems.txt"));
}

async fn callers(album: &mut Album) {
    let world = keyed_world().await;
    let as_key = |key: &str| get(&world, "/v1/queue").bearer_auth(key);
    album.add(&world, "no key", get(&world, "/v1/queue")).await;
    album.add(&world, "an unknown key", as_key(KeySecret::random().as_str())).await;
    album.add(&world, "too low a role", as_key(world.key("sales", Role::Submitter).await.as_str())).await;
}

async fn operators_slips(album: &mut Album) {
    let world = world().await;
    let weight = world.request(Method::PUT, "/v1/teams/sales").json(&json!({ "weight": 0 }));
    album.add(&world, "a team without weight", weight).await;
    for (what, path, body) in [
        ("a key without a name", "/v1/keys", json!({ "role": "admin", "name": "" })),
        (
            "a key of the past",
            "/v1/keys",
            json!({ "role": "admin", "name": "x", "expires_at": "2020-01-01T00:00:00Z" }),
        ),
        ("a pause of what is no scope", "/v1/queue/pause", json!({ "scope": "everything", "reason": "x" })),
        ("a pause without a reason", "/v1/queue/pause", json!({ "scope": "all", "reason": "" })),
        ("the same input for many", "/v1/dlq:requeue", json!({ "filter": {}, "edit": { "input": "x" } })),
    ] {
        album.add(&world, what, post(&world, path, &body)).await;
    }
    album.add(&world, "an unknown state of messages", get(&world, "/v1/webhooks?state=lost")).await;
    let key = "x".repeat(235);
    let batch = world.request(Method::POST, "/v1/tasks:batch").header("Idempotency-Key", key);
    album.add(&world, "a batch's key that is too long", batch).await;
}

async fn wrong_requests(album: &mut Album) {
    let world = world().await;
    let id = world.submit().await;
    let submit = || world.request(Method::POST, "/v1/tasks");
    album.add(&world, "an unknown route", get(&world, "/v2")).await;
    album.add(&world, "a wrong method", world.request(Method::DELETE, "/v1/tasks")).await;
    album.add(&world, "another host's name", get(&world, "/v1/tasks").header("Host", "evil.example")).await;
    album.add(&world, "another site's page", get(&world, "/v1/tasks").header("Origin", "https://evil.example")).await;
    album.add(&world, "no JSON", submit().body("x")).await;
    album.add(&world, "broken JSON", submit().header("content-type", "application/json").body("{")).await;
    album.add(&world, "an unknown field", post(&world, "/v1/tasks", &json!({ "agent": "summary", "x": 1 }))).await;
    album
        .add(&world, "a field of another type", post(&world, "/v1/tasks", &json!({ "agent": "summary", "input": 1 })))
        .await;
    let long = json!({ "agent": "summary", "input": "x".repeat(2 << 20) });
    album.add(&world, "too much JSON", post(&world, "/v1/tasks", &long)).await;
    album.add(&world, "an unknown parameter", get(&world, "/v1/tasks?colour=red")).await;
    album.add(&world, "a limit out of range", get(&world, "/v1/tasks?limit=0")).await;
    album.add(&world, "a preference that is none", submit().header("Prefer", "wait=soon").json(&task())).await;
    album.add(&world, "an empty key", submit().header("Idempotency-Key", "").json(&task())).await;
    let events = get(&world, &format!("/v1/tasks/{id}/events")).header("Last-Event-ID", "latest");
    album.add(&world, "an event's id that is none", events).await;
    album.add(&world, "an unknown task", get(&world, &format!("/v1/tasks/{}", TaskId::new()))).await;
    album.add(&world, "a task's id that is none", get(&world, "/v1/tasks/first")).await;
    album.add(&world, "an id that is no text", get(&world, "/v1/tasks/%ff")).await;
    album.add(&world, "an unknown agent", get(&world, "/v1/agents/nobody")).await;
    world.complete(id).await;
    album
        .add(&world, "cancelling what has ended", world.request(Method::POST, &format!("/v1/tasks/{id}/cancel")))
        .await;
    let retry = world.request(Method::POST, &format!("/v1/tasks/{id}/retry"));
    album.add(&world, "retrying what is not dead", retry).await;
}

async fn unusable_tasks(album: &mut Album) {
    let world = world().await;
    for (what, body) in [
        ("a task for nobody", json!({ "agent": "nobody", "input": "x" })),
        ("a task that asks nothing", json!({ "agent": "summary" })),
        ("a task with an unknown document", json!({ "agent": "summary", "documents": ["doc_000000000000"] })),
        ("a deadline at once", json!({ "agent": "summary", "input": "x", "deadline_seconds": 0 })),
        (
            "a deadline before its beginning",
            json!({ "agent": "summary", "input": "x", "deadline_seconds": 60, "due_at": "2999-01-01T00:00:00Z" }),
        ),
        ("a limit of nothing", json!({ "agent": "summary", "input": "x", "concurrency_limit": 3 })),
        (
            "a limit of none",
            json!({ "agent": "summary", "input": "x", "concurrency_key": "k", "concurrency_limit": 0 }),
        ),
        ("a callback", json!({ "agent": "summary", "input": "x", "callback_url": "https://hooks.example" })),
    ] {
        album.add(&world, what, post(&world, "/v1/tasks", &body)).await;
    }
    let keyed = |body: &Value| post(&world, "/v1/tasks", body).header("Idempotency-Key", "order-1");
    world.send(keyed(&task())).await;
    album.add(&world, "a key used twice", keyed(&json!({ "agent": "triage", "input": "x" }))).await;
}

async fn documents(album: &mut Album) {
    let world = World::new(Limits { max_document_bytes: 1000, ..Limits::default() }).await;
    let store = |query: &str, body: Vec<u8>| world.request(Method::POST, &format!("/v1/documents{query}")).body(body);
    album.add(&world, "an unknown document", get(&world, "/v1/documents/doc_000000000000")).await;
    album.add(&world, "a document's id that is none", get(&world, "/v1/documents/1")).await;
    album.add(&world, "a large document", store("", vec![0; 1001])).await;
    album.add(&world, "an empty document", store("", Vec::new())).await;
    album.add(&world, "an empty name", store("?name=", vec![0])).await;
    let form = store("", vec![0]).header("content-type", "multipart/form-data; boundary=x");
    album.add(&world, "a broken form", form).await;
    let form = store("", b"--x--\r\n".to_vec()).header("content-type", "multipart/form-data; boundary=x");
    album.add(&world, "a form without a file", form).await;
    let allowing = Limits { callbacks: vec!["https://hooks.example".to_owned()], ..Limits::default() };
    let world = World::new(allowing).await;
    let elsewhere = json!({ "agent": "summary", "input": "x", "callback_url": "https://evil.example" });
    album.add(&world, "a callback to elsewhere", post(&world, "/v1/tasks", &elsewhere)).await;
}

async fn bad_ends(album: &mut Album) {
    for (what, reason) in [("a task that failed", StopReason::StepLimit), ("a task out of time", StopReason::Timeout)] {
        let world = world().await;
        keyed_end(album, &world, what, async |id| world.fail(id, reason).await).await;
    }
    let world = world().await;
    keyed_end(album, &world, "a dead letter", async |id| world.bury(id).await).await;
    let world = crate::world::world().await;
    let cancel = async |id| {
        world.store.cancel(id, &Actor::new("user:ann")).await.unwrap();
    };
    keyed_end(album, &world, "a cancelled task", cancel).await;
}

/// Asks for a task again, with a wait, when it has ended.
async fn keyed_end(album: &mut Album, world: &World, what: &str, end: impl AsyncFnOnce(TaskId)) {
    let request = |path: &str| post(world, path, &task()).header("Idempotency-Key", "order-1");
    let accepted = world.send(request("/v1/tasks")).await.json();
    end(accepted["id"].as_str().unwrap().parse().unwrap()).await;
    album.add(world, what, request("/v1/tasks?wait=60")).await;
}

async fn limits(album: &mut Album) {
    let full = World::new(Limits { max_queued: 0, ..Limits::default() }).await;
    album.add(&full, "a full queue", post(&full, "/v1/tasks", &task())).await;
    let full = World::new(Limits { max_size_bytes: Some(400 << 10), ..Limits::default() }).await;
    let long = json!({ "agent": "summary", "input": "x".repeat(1 << 20) });
    album.add(&full, "a full disk", post(&full, "/v1/tasks", &long)).await;
    let broken = World::new(Limits { health: Arc::new(|| panic!("private words")), ..Limits::default() }).await;
    album.add(&broken, "a defect", get(&broken, "/healthz")).await;
    let health = Arc::new(|| Err("the engine of model pocket has not moved for 31 s; restart the process".to_owned()));
    let stalled = World::new(Limits { health, ..Limits::default() }).await;
    album.add(&stalled, "no progress", get(&stalled, "/healthz")).await;
    let world = world().await;
    world.readiness.send_replace(Readiness::Draining);
    album.add(&world, "a server that drains", post(&world, "/v1/tasks", &task())).await;
    world.store.close().await;
    album.add(&world, "a server that stops", get(&world, "/v1/tasks")).await;
}
