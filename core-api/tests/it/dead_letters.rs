//! `/v1/dlq`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{Actor, NewStep, StepKind};
use types::{StopReason, TaskId, Timestamp};

use crate::world::{Answer, World, failure, world};

/// A dead letter of an agent.
async fn dead(world: &World, agent: &str) -> TaskId {
    let answer = world.post("/v1/tasks", &json!({ "agent": agent, "input": "Bury this." })).await;
    let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
    world.bury(id).await;
    id
}

fn ids(answer: &Answer) -> Vec<TaskId> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn dead_letters_are_listed_page_by_page_and_nothing_else_is() {
    let world = world().await;
    let mut buried = Vec::new();
    for _ in 0..5 {
        buried.insert(0, dead(&world, "summary").await);
    }
    world.submit().await;
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = world.get(&format!("/v1/dlq{query}")).await;
        seen.extend(ids(&page));
        let Some(next) = page.json().get("next").and_then(Value::as_str).map(str::to_owned) else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(seen, buried);
}

#[tokio::test]
async fn dead_letters_are_filtered_by_agent_reason_and_time() {
    let world = world().await;
    let summary = dead(&world, "summary").await;
    let triage = dead(&world, "triage").await;
    let query = async |query: &str| ids(&world.get(&format!("/v1/dlq?{query}")).await);
    assert_eq!(query("agent=summary").await, [summary]);
    assert_eq!(query("reason=tool_error").await, [triage, summary]);
    assert_eq!(query("reason=poison").await, []);
    assert_eq!(query("before=2999-01-01T00:00:00Z&agent=triage").await, [triage]);
    assert_eq!(query("before=2020-01-01T00:00:00Z").await, []);
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused() {
    let world = world().await;
    for query in ["cursor=first", "before=yesterday", "reason=bad_luck", "limit=0", "state=dead"] {
        world.get(&format!("/v1/dlq?{query}")).await.assert_problem(400, "bad_query");
    }
}

#[tokio::test]
async fn a_dead_letter_is_shown_with_what_was_tried() {
    let world = world().await;
    let id = world.submit().await;
    world.open(id).await.release().await.unwrap();
    let lease = world.open(id).await;
    let step = NewStep {
        kind: StepKind::Tool,
        started_at: Timestamp::now(),
        duration: std::time::Duration::from_millis(250),
        prompt_tokens: 3,
        completion_tokens: 2,
        summary: json!({ "tool": "pdf_parse" }),
    };
    lease.record_step(step).await.unwrap();
    lease.bury(failure(StopReason::ToolError)).await.unwrap();

    let letter = world.get(&format!("/v1/dlq/{id}")).await.json();
    assert_eq!((&letter["task"]["state"], &letter["task"]["stop_reason"]), (&json!("dead"), &json!("tool_error")));
    let told: Vec<(u64, Vec<&str>, usize)> = letter["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| {
            let events = attempt["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap());
            (attempt["attempt"].as_u64().unwrap(), events.collect(), attempt["steps"].as_array().unwrap().len())
        })
        .collect();
    assert_eq!(
        told,
        [(0, vec!["accepted"], 0), (1, vec!["started", "released"], 0), (2, vec!["started", "step", "dead"], 1)]
    );
}

#[tokio::test]
async fn what_is_no_dead_letter_is_not_found_or_left_alone() {
    let world = world().await;
    let waiting = world.submit().await;
    let paths = |id: &str| [(Method::POST, format!("/v1/dlq/{id}/requeue")), (Method::DELETE, format!("/v1/dlq/{id}"))];
    for id in [TaskId::new().to_string(), "first".to_owned()] {
        world.get(&format!("/v1/dlq/{id}")).await.assert_problem(404, "not_found");
        for (method, path) in paths(&id) {
            world.send(world.request(method, &path)).await.assert_problem(404, "not_found");
        }
    }
    world.get(&format!("/v1/dlq/{waiting}")).await.assert_problem(404, "not_found");
    for (method, path) in paths(&waiting.to_string()) {
        world.send(world.request(method, &path)).await.assert_problem(409, "task_not_dead");
    }
    assert_eq!(world.get(&format!("/v1/tasks/{waiting}")).await.json()["state"], "queued");
}

#[tokio::test]
async fn a_dead_letter_is_queued_again_as_it_was_or_edited() {
    let world = world().await;
    let id = dead(&world, "summary").await;
    let path = format!("/v1/dlq/{id}/requeue");
    let answer = world.send(world.request(Method::POST, &path)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let task = answer.json();
    assert_eq!(
        (&task["state"], &task["input"], &task["failures"]),
        (&json!("queued"), &json!("Bury this."), &json!(0))
    );

    world.bury(id).await;
    let edit = json!({ "input": "Do that.", "agent": "triage", "class": "interactive", "max_retries": 7 });
    let task = world.post(&path, &edit).await.json();
    assert_eq!(
        (&task["state"], &task["input"], &task["agent"], &task["class"]),
        (&json!("queued"), &json!("Do that."), &json!("triage"), &json!("interactive"))
    );
    assert_eq!(world.store.task(id).await.unwrap().unwrap().max_retries, Some(7));
}

#[tokio::test]
async fn an_edit_that_cannot_be_worked_on_changes_nothing() {
    let world = world().await;
    let id = dead(&world, "summary").await;
    let path = format!("/v1/dlq/{id}/requeue");
    world.post(&path, &json!({ "agent": "nobody" })).await.assert_problem(422, "unknown_agent");
    world.post(&path, &json!({ "input": " " })).await.assert_problem(422, "empty_task");
    world.post(&path, &json!({ "documents": [] })).await.assert_problem(422, "bad_body");
    world
        .send(world.request(Method::POST, &path).body("x").header("content-type", "text/plain"))
        .await
        .assert_problem(415, "not_json");
    assert_eq!(ids(&world.get("/v1/dlq").await), [id]);
}

#[tokio::test]
async fn a_purged_dead_letter_is_gone_and_accounted_for() {
    let world = world().await;
    let id = dead(&world, "summary").await;
    let answer = world.send(world.request(Method::DELETE, &format!("/v1/dlq/{id}"))).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0));
    for path in ["/v1/dlq", "/v1/tasks"] {
        world.get(&format!("{path}/{id}")).await.assert_problem(404, "not_found");
    }
    let count = world.get("/v1/queue?conservation=true").await.json()["conservation"].clone();
    assert_eq!((&count["pruned"], &count["holds"]), (&json!(1), &json!(true)), "{count}");
    let log = world.store.audit(0, 100).await.unwrap();
    assert!(
        log.iter().any(|entry| entry.target == id.to_string() && entry.actor == Actor::new("rest:unauthenticated"))
    );
}

#[tokio::test]
async fn many_are_queued_again_by_filter() {
    let world = world().await;
    let summaries = [dead(&world, "summary").await, dead(&world, "summary").await];
    let triage = dead(&world, "triage").await;
    let asked = |dry_run| json!({ "filter": { "agent": "summary" }, "dry_run": dry_run, "edit": { "class": "batch" } });
    let dry = world.post("/v1/dlq:requeue", &asked(true)).await.json();
    assert_eq!(dry, json!({ "matched": 2, "done": 0, "dry_run": true, "more": false }));
    assert_eq!(ids(&world.get("/v1/dlq").await).len(), 3);

    let done = world.post("/v1/dlq:requeue", &asked(false)).await.json();
    assert_eq!(done, json!({ "matched": 2, "done": 2, "dry_run": false, "more": false }));
    assert_eq!(ids(&world.get("/v1/dlq").await), [triage]);
    for id in summaries {
        let task = world.get(&format!("/v1/tasks/{id}")).await.json();
        assert_eq!((&task["state"], &task["class"]), (&json!("queued"), &json!("batch")));
    }
}

#[tokio::test]
async fn many_are_purged_by_filter() {
    let world = world().await;
    for agent in ["summary", "summary", "triage"] {
        dead(&world, agent).await;
    }
    let waiting = world.submit().await;
    let asked = |dry_run| json!({ "filter": { "reason": "tool_error", "agent": "summary" }, "dry_run": dry_run });
    assert_eq!(world.post("/v1/dlq:purge", &asked(true)).await.json()["matched"], 2);
    assert_eq!(world.post("/v1/dlq:purge", &asked(false)).await.json()["done"], 2);
    assert_eq!(world.post("/v1/dlq:purge", &json!({ "filter": {} })).await.json()["done"], 1);
    assert_eq!(ids(&world.get("/v1/tasks").await), [waiting]);
}

#[tokio::test]
async fn many_are_not_touched_by_a_slip() {
    let world = world().await;
    let id = dead(&world, "summary").await;
    for (path, body, code) in [
        ("/v1/dlq:purge", json!({}), "bad_body"),
        ("/v1/dlq:purge", json!({ "filter": { "agents": "triage" } }), "bad_body"),
        ("/v1/dlq:purge", json!({ "filter": {}, "dryrun": true }), "bad_body"),
        ("/v1/dlq:requeue", json!({ "filter": {}, "edit": { "input": "x" } }), "bad_edit"),
        ("/v1/dlq:requeue", json!({ "filter": {}, "edit": { "agent": "nobody" } }), "unknown_agent"),
    ] {
        world.post(path, &body).await.assert_problem(422, code);
    }
    assert_eq!(ids(&world.get("/v1/dlq").await), [id]);
}
