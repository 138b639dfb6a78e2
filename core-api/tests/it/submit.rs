//! `POST /v1/tasks` without waiting.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use types::Timestamp;

use crate::world::{Limits, World, task, world};

#[tokio::test]
async fn an_accepted_task_is_answered_202_with_its_place() {
    let world = world().await;
    let answer = world.post("/v1/tasks", &task()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let (location, view) = (answer.header("location").unwrap(), answer.json());
    assert_eq!(location, format!("/v1/tasks/{}", view["id"].as_str().unwrap()));
    assert_eq!(view["state"], "queued");
    // Word for word what the store says of it.
    assert_eq!(world.get(location).await.json(), view);
}

#[tokio::test]
async fn every_wish_of_a_task_is_kept() {
    let world = world().await;
    let document = world.send(world.request(Method::POST, "/v1/documents").body("some text")).await.json();
    let due = Timestamp::now().after(std::time::Duration::from_secs(600));
    let asked = json!({
        "agent": "triage", "documents": [document["id"]], "class": "batch", "due_at": due,
        "deadline_seconds": 3600, "max_retries": 7,
    });
    let answer = world.post("/v1/tasks", &asked).await;
    let view = answer.json();
    assert_eq!(view["state"], "scheduled");
    assert_eq!(
        (&view["agent"], &view["class"], &view["documents"][0]),
        (&json!("triage"), &json!("batch"), &document["id"])
    );
    assert_eq!(view["due_at"], json!(due));
    assert_eq!(world.get(answer.header("location").unwrap()).await.json(), view);
    let id = view["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.store.task(id).await.unwrap().unwrap().max_retries, Some(7));
}

#[tokio::test]
async fn a_document_that_is_named_twice_is_one_and_more_than_64_are_refused() {
    let world = world().await;
    let upload = async |text| world.send(world.request(Method::POST, "/v1/documents").body(text)).await.json();
    let (one, two) = (upload("one").await["id"].clone(), upload("two").await["id"].clone());
    let answer = world.post("/v1/tasks", &json!({ "agent": "triage", "documents": [two, one, two] })).await;
    assert_eq!(answer.json()["documents"], json!([two, one]));

    let answer = world.post("/v1/tasks", &json!({ "agent": "triage", "documents": vec![&one; 64] })).await;
    assert_eq!(answer.json()["documents"], json!([one]));
    let answer = world.post("/v1/tasks", &json!({ "agent": "triage", "documents": vec![&one; 65] })).await;
    answer.assert_problem(422, "too_many_documents");
    assert_names(&answer.json(), &["65", "64"]);
    let schema = world.get("/openapi.json").await.json();
    assert_eq!(schema["components"]["schemas"]["SubmitTask"]["properties"]["documents"]["maxItems"], 64);
}

#[tokio::test]
async fn a_moment_that_has_passed_means_now() {
    let world = world().await;
    for name in ["due_at", "not_before"] {
        let answer =
            world.post("/v1/tasks", &json!({ "agent": "summary", "input": "x", name: "2020-01-01T00:00:00Z" })).await;
        assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::ACCEPTED, &json!("queued")), "{name}");
    }
    let both = json!({ "agent": "summary", "input": "x", "due_at": "2020-01-01T00:00:00Z", "not_before": "2020-01-01T00:00:00Z" });
    world.post("/v1/tasks", &both).await.assert_problem(422, "bad_body");
}

#[tokio::test]
async fn a_concurrency_key_is_kept_with_its_limit() {
    let world = world().await;
    for (asked, limit) in [(json!(3), 3), (json!(null), 1)] {
        let body =
            json!({ "agent": "summary", "input": "x", "concurrency_key": "customer-7", "concurrency_limit": asked });
        let answer = world.post("/v1/tasks", &body).await;
        let view = answer.json();
        assert_eq!(view["concurrency"], json!({ "key": "customer-7", "limit": limit }));
        assert_eq!(world.get(answer.header("location").unwrap()).await.json(), view);
    }
    for (key, limit) in
        [(json!("k"), json!(0)), (json!("k"), json!(10_001)), (json!(""), json!(1)), (json!(null), json!(1))]
    {
        let body = json!({ "agent": "summary", "input": "x", "concurrency_key": key, "concurrency_limit": limit });
        world.post("/v1/tasks", &body).await.assert_problem(422, "bad_concurrency");
    }
}

#[tokio::test]
async fn priority_is_another_name_for_class() {
    let world = world().await;
    let answer = world.post("/v1/tasks", &json!({ "agent": "summary", "input": "x", "priority": "interactive" })).await;
    assert_eq!(answer.json()["class"], "interactive");
}

#[track_caller]
fn assert_names(problem: &Value, words: &[&str]) {
    let detail = problem["detail"].as_str().unwrap();
    for word in words {
        assert!(detail.contains(word), "{word:?} is not in {detail:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_by_the_fields_name() {
    let world = world().await;
    for (body, words) in [
        (json!({ "agent": "summary", "prompt": "x" }), ["`prompt`", "`input`"]),
        (json!({ "agent": "Not A Name", "input": "x" }), ["agent: ", "a-z, 0-9"]),
        (json!({ "input": "x" }), ["missing field", "`agent`"]),
        (json!({ "agent": "summary", "input": 5 }), ["input: ", "expected a string"]),
        (json!({ "agent": "summary", "documents": ["doc_1"] }), ["documents[0]: ", "12 hexadecimal digits"]),
        (json!({ "agent": "summary", "input": "x", "class": "urgent" }), ["class: ", "`interactive`"]),
        (json!({ "agent": "summary", "input": "x", "due_at": "soon" }), ["due_at: ", "year"]),
        (json!({ "agent": "summary", "input": "x", "max_retries": -1 }), ["max_retries: ", "u32"]),
        (json!({ "agent": "summary", "input": "x", "deadline_seconds": -5 }), ["deadline_seconds: ", "u64"]),
    ] {
        let answer = world.post("/v1/tasks", &body).await;
        answer.assert_problem(422, "bad_body");
        assert_names(&answer.json(), &words);
    }
}

#[tokio::test]
async fn what_cannot_be_worked_on_is_refused() {
    let world = world().await;
    let refuse = async |body: Value, code: &str, words: &[&str]| {
        let answer = world.post("/v1/tasks", &body).await;
        answer.assert_problem(422, code);
        assert_names(&answer.json(), words);
    };
    refuse(json!({ "agent": "nobody", "input": "x" }), "unknown_agent", &["nobody", "summary, triage"]).await;
    refuse(json!({ "agent": "summary", "input": " " }), "empty_task", &["neither input nor documents"]).await;
    let unknown = json!({ "agent": "summary", "documents": ["doc_000000000000"] });
    refuse(unknown, "unknown_document", &["doc_000000000000", "store it first"]).await;
    for seconds in [0, u64::MAX] {
        let body = json!({ "agent": "summary", "input": "x", "deadline_seconds": seconds });
        refuse(body, "bad_deadline", &["deadline_seconds", "from 1 to"]).await;
    }
    let late = json!({ "agent": "summary", "input": "x", "deadline_seconds": 60, "due_at": "2999-01-01T00:00:00Z" });
    refuse(late, "bad_deadline", &["due_at", "2999", "raise deadline_seconds"]).await;
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let world = world().await;
    let post = || world.request(Method::POST, "/v1/tasks");
    world.send(post().body("agent=summary")).await.assert_problem(415, "not_json");
    let broken = world.send(post().header("content-type", "application/json").body("{\"agent\": ")).await;
    broken.assert_problem(400, "bad_json");
    assert_names(&broken.json(), &["line 1 column"]);
}

#[tokio::test]
async fn two_mebibytes_of_json_are_the_most() {
    let world = world().await;
    let answer = world.post("/v1/tasks", &json!({ "agent": "summary", "input": "x".repeat((2 << 20) - 100) })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let answer = world.post("/v1/tasks", &json!({ "agent": "summary", "input": "x".repeat(2 << 20) })).await;
    answer.assert_problem(413, "body_too_large");
    assert_names(&answer.json(), &["2097152", "/v1/documents"]);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let world = World::new(Limits { max_queued: 1, ..Limits::default() }).await;
    world.submit().await;
    let answer = world.post("/v1/tasks", &task()).await;
    answer.assert_problem(429, "queue_full");
    // Nothing is known of the rate yet.
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.json()["retry_after"], 5);
    assert!(world.get("/metrics").await.text().contains("openclaw_tasks_rejected_total{reason=\"full\"} 1"));
}

#[tokio::test]
async fn a_full_disk_accepts_nothing() {
    let world = World::new(Limits { max_size_bytes: Some(400 << 10), ..Limits::default() }).await;
    let big = json!({ "agent": "summary", "input": "x".repeat(1 << 20) });
    let answer = world.post("/v1/tasks", &big).await;
    answer.assert_problem(507, "disk_full");
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(world.get("/v1/tasks").await.json()["tasks"], json!([]));
}
