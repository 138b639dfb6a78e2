//! `/v1/tasks/{id}/events`.

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use store::Actor;
use types::{StopReason, TaskId};

use crate::world::{World, world};

/// Reads a stream event by event.
struct Reader {
    response: Response,
    buffer: String,
}

/// One event, as it stands in the stream.
#[derive(Debug)]
struct Frame {
    id: String,
    kind: String,
    data: Value,
}

impl Reader {
    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    let line = frame.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                    line.unwrap_or_default().to_owned()
                };
                let data = serde_json::from_str(&field("data")).unwrap();
                let frame = Frame { id: field("id"), kind: field("event"), data };
                self.buffer = rest.to_owned();
                return Some(frame);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn rest(mut self) -> Vec<String> {
        let mut kinds = Vec::new();
        while let Some(frame) = self.next().await {
            kinds.push(frame.kind);
        }
        kinds
    }
}

async fn respond(world: &World, id: TaskId, seen: Option<&str>) -> Response {
    let request = world.request(Method::GET, &format!("/v1/tasks/{id}/events"));
    seen.into_iter().fold(request, |request, seen| request.header("Last-Event-ID", seen)).send().await.unwrap()
}

async fn follow(world: &World, id: TaskId, seen: Option<&str>) -> Reader {
    let response = respond(world, id, seen).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    Reader { response, buffer: String::new() }
}

#[tokio::test]
async fn a_stream_tells_what_happened_and_ends_with_the_task() {
    let world = world().await;
    let id = world.submit().await;
    world.complete(id).await;
    assert_eq!(follow(&world, id, None).await.rest().await, ["accepted", "started", "succeeded"]);
}

#[tokio::test]
async fn a_stream_tells_what_happens_as_it_happens() {
    let world = world().await;
    let id = world.submit().await;
    let mut reader = follow(&world, id, None).await;
    assert_eq!(reader.next().await.unwrap().kind, "accepted");
    let lease = world.open(id).await;
    assert_eq!(reader.next().await.unwrap().kind, "started");
    lease.release().await.unwrap();
    assert_eq!(reader.next().await.unwrap().kind, "released");
    world.fail(id, StopReason::StepLimit).await;
    assert_eq!(reader.rest().await, ["started", "failed"]);
}

#[tokio::test]
async fn an_events_data_repeats_its_id_and_kind() {
    let world = world().await;
    let id = world.submit().await;
    let frame = follow(&world, id, None).await.next().await.unwrap();
    assert_eq!((&frame.data["kind"], frame.data["seq"].to_string()), (&Value::from(frame.kind), frame.id));
    assert_eq!(frame.data["data"]["state"], "queued");
}

#[tokio::test]
async fn a_reader_goes_on_after_the_last_event_it_saw() {
    let world = world().await;
    let id = world.submit().await;
    let seen = follow(&world, id, None).await.next().await.unwrap().id;
    world.complete(id).await;
    assert_eq!(follow(&world, id, Some(&seen)).await.rest().await, ["started", "succeeded"]);
}

#[tokio::test]
async fn who_saw_the_end_is_told_not_to_come_again() {
    let world = world().await;
    let id = world.submit().await;
    world.complete(id).await;
    let mut reader = follow(&world, id, None).await;
    let mut last = String::new();
    while let Some(frame) = reader.next().await {
        last = frame.id;
    }
    let request = world.request(Method::GET, &format!("/v1/tasks/{id}/events")).header("Last-Event-ID", last);
    assert_eq!(world.send(request).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_stream_goes_on_when_a_dead_letter_is_put_back() {
    let world = world().await;
    let id = world.submit().await;
    world.bury(id).await;
    let first = follow(&world, id, None).await.rest().await;
    assert_eq!(first, ["accepted", "started", "dead"]);

    world.store.requeue(id, &store::Edit::default(), &Actor::new("user:ann")).await.unwrap();
    let mut reader = follow(&world, id, None).await;
    for expected in ["accepted", "started", "dead", "requeued"] {
        assert_eq!(reader.next().await.unwrap().kind, expected);
    }
    world.complete(id).await;
    assert_eq!(reader.rest().await, ["started", "succeeded"]);
}

#[tokio::test]
async fn a_long_history_arrives_whole() {
    let world = world().await;
    let id = world.submit().await;
    for _ in 0..120 {
        world.open(id).await.release().await.unwrap();
    }
    world.complete(id).await;
    assert_eq!(follow(&world, id, None).await.rest().await.len(), 1 + 2 * 120 + 2);
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_refused() {
    let world = world().await;
    let id = world.submit().await;
    let request = world.request(Method::GET, &format!("/v1/tasks/{id}/events")).header("Last-Event-ID", "latest");
    world.send(request).await.assert_problem(400, "bad_last_event_id");
}
