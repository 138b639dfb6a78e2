//! `POST /v1/tasks:batch`.

use core_api::{KeySecret, Readiness};
use futures::channel::mpsc;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use types::Role;

use crate::world::{Answer, Limits, World, keyed_world, task, world};

async fn submit(world: &World, key: Option<&str>, lines: &[&str]) -> Answer {
    let request = world.request(Method::POST, "/v1/tasks:batch").body(lines.join("\n"));
    world.send(key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key))).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Line, status and code of each answer.
fn told(answers: &[Value]) -> Vec<(u64, u64, &str)> {
    let code = |answer: &Value| answer["problem"]["code"].as_str().map_or("", |code| Box::leak(code.into()));
    answers.iter().map(|it| (it["line"].as_u64().unwrap(), it["status"].as_u64().unwrap(), code(it))).collect()
}

async fn count(world: &World) -> u64 {
    world.store.conservation().await.unwrap().accepted
}

fn good() -> String {
    task().to_string()
}

#[tokio::test]
async fn every_line_is_answered_by_its_number_in_order() {
    let world = world().await;
    let (good, long) = (good(), format!("{{\"agent\":\"summary\",\"input\":\"{}\"}}", "x".repeat(1 << 20)));
    let lines_sent = [
        good.as_str(),
        "{",
        "",
        r#"{"agent":"nobody","input":"x"}"#,
        &long,
        r#"{"agent":"summary","input":"x","surprise":1}"#,
        r#"{"agent":"summary","documents":["doc_000000000000"]}"#,
        r#"{"agent":"summary","input":"x","deadline_seconds":-1}"#,
        r#"{"agent":"summary","input":"x","callback_url":"https://evil.example"}"#,
        &good,
    ];
    let answer = submit(&world, None, &lines_sent).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/x-ndjson")));
    let answers = lines(&answer);
    assert_eq!(
        told(&answers),
        [
            (1, 202, ""),
            (2, 400, "bad_json"),
            (4, 422, "unknown_agent"),
            (5, 413, "line_too_long"),
            (6, 422, "bad_body"),
            (7, 422, "unknown_document"),
            (8, 422, "bad_body"),
            (9, 422, "callback_not_allowed"),
            (10, 202, "")
        ]
    );
    for place in [0, 8] {
        let id = answers[place]["id"].as_str().unwrap();
        assert_eq!(world.get(&format!("/v1/tasks/{id}")).await.json()["state"], "queued");
    }
    assert_eq!(count(&world).await, 2);
}

#[tokio::test]
async fn thousands_of_lines_are_accepted_once_each() {
    let world = World::new(Limits { max_queued: 10_000, ..Limits::default() }).await;
    let good = good();
    let answers = lines(&submit(&world, None, &vec![good.as_str(); 1234]).await);
    assert!(answers.iter().zip(1..).all(|(answer, line)| answer["line"] == line && answer["status"] == 202));
    assert_eq!((answers.len(), count(&world).await), (1234, 1234));
}

#[tokio::test]
async fn an_upload_that_is_sent_again_makes_no_duplicates() {
    let world = world().await;
    let (good, own) = (good(), r#"{"agent":"summary","input":"x","idempotency_key":"mine"}"#);
    let first = lines(&submit(&world, Some("upload-1"), &[&good, own]).await);
    let again = lines(&submit(&world, Some("upload-1"), &[&good, own, &good]).await);
    for place in [0, 1] {
        assert_eq!((&again[place]["id"], &again[place]["existing"]), (&first[place]["id"], &json!(true)));
    }
    assert_eq!(again[2]["status"], 202);
    assert_eq!(count(&world).await, 3);
    // A line's own key is the same wherever it is sent.
    let single = world.post("/v1/tasks", &serde_json::from_str(own).unwrap()).await.json();
    assert_eq!(single["id"], first[1]["id"]);
    // Without a key every line is a task of its own.
    submit(&world, None, &[&good, &good]).await;
    assert_eq!(count(&world).await, 5);
}

#[tokio::test]
async fn a_key_for_another_content_is_a_conflict_of_its_line() {
    let world = world().await;
    let good = good();
    submit(&world, Some("upload-1"), &[&good]).await;
    let other = r#"{"agent":"triage","input":"Something else."}"#;
    let answers = lines(&submit(&world, Some("upload-1"), &[other, &good]).await);
    assert_eq!(told(&answers), [(1, 409, "idempotency_conflict"), (2, 202, "")]);
}

#[tokio::test]
async fn a_full_queue_refuses_the_lines_it_has_no_room_for() {
    let world = World::new(Limits { max_queued: 2, ..Limits::default() }).await;
    let good = good();
    let answers = lines(&submit(&world, None, &[good.as_str(); 4]).await);
    assert_eq!(told(&answers), [(1, 202, ""), (2, 202, ""), (3, 429, "queue_full"), (4, 429, "queue_full")]);
    let pause = answers[3]["problem"]["retry_after"].as_u64().unwrap();
    assert!((1..=60).contains(&pause), "{pause}");
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("openclaw_tasks_rejected_total{reason=\"full\"} 2"), "{metrics}");
}

/// A batch whose lines are sent one by one.
struct Upload {
    pieces: mpsc::UnboundedSender<Result<String, std::io::Error>>,
    response: Response,
    text: String,
}

impl Upload {
    async fn begin(world: &World) -> Upload {
        let (pieces, body) = mpsc::unbounded();
        let body = reqwest::Body::wrap_stream(body);
        let response = world.request(Method::POST, "/v1/tasks:batch").body(body).send().await.unwrap();
        Upload { pieces, response, text: String::new() }
    }

    fn send(&self, piece: &str) {
        self.pieces.unbounded_send(Ok(piece.to_owned())).unwrap();
    }

    async fn answer(&mut self) -> Value {
        loop {
            if let Some((line, rest)) = self.text.split_once('\n') {
                let answer = serde_json::from_str(line).unwrap();
                self.text = rest.to_owned();
                return answer;
            }
            self.text += std::str::from_utf8(&self.response.chunk().await.unwrap().unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_line_is_answered_while_the_next_is_still_being_sent() {
    let world = world().await;
    let mut upload = Upload::begin(&world).await;
    upload.send(&(good() + "\n{\"agent\":"));
    assert_eq!(upload.answer().await["status"], 202);
    upload.send("\"nobody\",\"input\":\"x\"}\n");
    assert_eq!(told(&[upload.answer().await]), [(2, 422, "unknown_agent")]);
}

#[tokio::test]
async fn what_was_accepted_before_an_upload_broke_off_is_kept_and_half_a_line_is_not() {
    let world = world().await;
    let mut connection = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /v1/tasks:batch HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let piece = good() + "\n" + &good();
    // Then something that is no length of a piece.
    let sent = format!("{head}{:x}\r\n{piece}\r\nnone\r\n", piece.len());
    connection.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let advice = "send all of it again under the same Idempotency-Key; without one, from here";
    while !String::from_utf8_lossy(&answer).contains(advice) {
        assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.contains("{\"line\":1,\"status\":202,")
            && answer.contains("{\"line\":2,\"status\":400,")
            && answer.contains("bad_body"),
        "{answer}"
    );
    assert_eq!(count(&world).await, 1);
}

#[tokio::test]
async fn a_sender_who_reads_late_gets_every_answer() {
    let world = World::new(Limits { max_queued: 20_000, ..Limits::default() }).await;
    let body = (good() + "\n").repeat(5000);
    let (half, end) = body.split_at(body.len() / 2);
    let mut upload = Upload::begin(&world).await;
    upload.send(half);
    upload.send(end);
    upload.pieces.close_channel();
    for line in 1..=5000 {
        assert_eq!(upload.answer().await["line"], line);
    }
}

#[tokio::test]
async fn a_draining_server_takes_no_batch_and_refuses_the_lines_of_one_on_its_way() {
    let world = world().await;
    let mut upload = Upload::begin(&world).await;
    upload.send(&(good() + "\n"));
    assert_eq!(upload.answer().await["status"], 202);
    world.readiness.send_replace(Readiness::Draining);
    upload.send(&(good() + "\n"));
    assert_eq!(told(&[upload.answer().await]), [(2, 503, "draining")]);
    submit(&world, None, &[&good()]).await.assert_problem(503, "draining");
}

#[tokio::test]
async fn a_full_disk_is_told_line_by_line() {
    let world = World::new(Limits { max_size_bytes: Some(400 << 10), ..Limits::default() }).await;
    let long = json!({ "agent": "summary", "input": "x".repeat(900 << 10) }).to_string();
    let answers = lines(&submit(&world, None, &[&long, "{"]).await);
    assert_eq!(told(&answers), [(1, 507, "disk_full"), (2, 400, "bad_json")]);
}

#[tokio::test]
async fn a_batchs_key_leaves_room_for_the_lines_number() {
    let world = world().await;
    for key in ["", &"x".repeat(235)] {
        submit(&world, Some(key), &[&good()]).await.assert_problem(400, "bad_idempotency_key");
    }
    assert_eq!(lines(&submit(&world, Some(&"x".repeat(234)), &[&good()]).await)[0]["status"], 202);
    let empty = r#"{"agent":"summary","input":"x","idempotency_key":""}"#;
    assert_eq!(told(&lines(&submit(&world, None, &[empty]).await)), [(1, 400, "bad_idempotency_key")]);
}

#[tokio::test]
async fn an_empty_batch_has_an_empty_answer() {
    let world = world().await;
    for text in ["", "\n\n"] {
        assert_eq!(submit(&world, None, &[text]).await.text(), "");
    }
}

#[tokio::test]
async fn a_problem_quotes_a_line_only_so_far() {
    let world = world().await;
    let line = json!({ "agent": "A".repeat(100_000), "input": "x" }).to_string();
    let answers = lines(&submit(&world, None, &[&line]).await);
    let detail = answers[0]["problem"]["detail"].as_str().unwrap();
    assert!(detail.ends_with('…') && detail.chars().count() == 501, "{detail}");
}

#[tokio::test]
async fn bodies_of_a_team_take_a_bounded_share_of_memory_and_leave_others_theirs() {
    let world = keyed_world().await;
    let (ours, theirs) = (world.key("default", Role::Submitter).await, world.key("others", Role::Submitter).await);
    let begin = async |key: &KeySecret| {
        let (pieces, body) = mpsc::unbounded::<Result<String, std::io::Error>>();
        let request = world.request(Method::POST, "/v1/tasks:batch").body(reqwest::Body::wrap_stream(body));
        (pieces, request.bearer_auth(key.as_str()).send().await.unwrap())
    };
    let mut uploads = Vec::new();
    for _ in 0..8 {
        uploads.push(begin(&ours).await);
    }
    let small = || world.request(Method::POST, "/v1/tasks:batch").body(good());
    let refused = world.send_as(&ours, small()).await;
    refused.assert_problem(429, "too_many_uploads");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(world.send_as(&theirs, small()).await.status, StatusCode::OK);
    // One that ends makes room.
    let (pieces, mut response) = uploads.remove(0);
    pieces.close_channel();
    assert_eq!(response.chunk().await.unwrap(), None);
    assert_eq!(world.send_as(&ours, small()).await.status, StatusCode::OK);
}
