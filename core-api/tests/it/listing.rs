//! `GET /v1/tasks` and `GET /v1/tasks/{id}`.

use reqwest::StatusCode;
use serde_json::{Value, json};
use types::{StopReason, TaskId};

use crate::world::{World, world};

async fn ids(world: &World, query: &str) -> Vec<String> {
    let answer = world.get(&format!("/v1/tasks{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tasks_are_listed_page_by_page_the_newest_first() {
    let world = world().await;
    let mut accepted: Vec<String> = Vec::new();
    for _ in 0..5 {
        accepted.insert(0, world.submit().await.to_string());
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = world.get(&format!("/v1/tasks{query}")).await.json();
        seen.extend(page["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.get("next").and_then(Value::as_str) else { break };
        query = format!("?limit=2&before={next}");
    }
    assert_eq!(seen, accepted);
}

#[tokio::test]
async fn a_page_of_long_tasks_has_fewer_and_the_next_goes_on() {
    let world = world().await;
    for _ in 0..10 {
        world.submit().await;
    }
    let long = json!({ "agent": "summary", "input": "x".repeat(1 << 20) });
    for _ in 0..20 {
        world.post("/v1/tasks", &long).await;
    }
    let page = world.get("/v1/tasks?limit=1000").await.json();
    assert_eq!(page["tasks"].as_array().unwrap().len(), 16);
    let rest = world.get(&format!("/v1/tasks?limit=1000&before={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!((rest["tasks"].as_array().unwrap().len(), rest.get("next")), (14, None));
}

#[tokio::test]
async fn long_results_count_as_well() {
    let world = world().await;
    for _ in 0..10 {
        let id = world.submit().await;
        world.open(id).await.complete(json!({ "summary": "x".repeat(2 << 20) })).await.unwrap();
    }
    let page = world.get("/v1/tasks?limit=1000").await.json();
    assert_eq!(page["tasks"].as_array().unwrap().len(), 8);
    let rest = world.get(&format!("/v1/tasks?limit=1000&before={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!((rest["tasks"].as_array().unwrap().len(), rest.get("next")), (2, None));
}

#[tokio::test]
async fn filters_add_up() {
    let world = world().await;
    let post = async |body: Value| world.post("/v1/tasks", &body).await.json()["id"].as_str().unwrap().to_owned();
    let summary = post(json!({ "agent": "summary", "input": "x" })).await;
    let batch = post(json!({ "agent": "triage", "input": "x", "class": "batch" })).await;
    let failed = post(json!({ "agent": "triage", "input": "x" })).await;
    world.fail(failed.parse().unwrap(), StopReason::StepLimit).await;

    assert_eq!(ids(&world, "?agent=summary").await, [summary.as_str()]);
    assert_eq!(ids(&world, "?agent=triage").await, [failed.clone(), batch.clone()]);
    assert_eq!(ids(&world, "?agent=triage&state=failed").await, [failed]);
    assert_eq!(ids(&world, "?class=batch").await, [batch.as_str()]);
    assert_eq!(ids(&world, "?state=queued").await, [batch, summary]);
    assert_eq!(ids(&world, "?agent=nobody").await, [""; 0]);
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused_by_the_parameters_name() {
    let world = world().await;
    for (query, words) in [
        ("?limit=0", ["limit", "from 1 to 1000"]),
        ("?limit=1001", ["limit", "from 1 to 1000"]),
        ("?limit=many", ["limit: ", "invalid digit"]),
        ("?state=waiting", ["state: ", "`queued`"]),
        ("?before=first", ["before: ", "UUID"]),
        ("?colour=red", ["`colour`", "`state`"]),
    ] {
        let answer = world.get(&format!("/v1/tasks{query}")).await;
        answer.assert_problem(400, "bad_query");
        for word in words {
            assert!(answer.text().contains(word), "{word:?} is not in {}", answer.text());
        }
    }
}

#[tokio::test]
async fn another_teams_task_is_not_found() {
    let world = world().await;
    let id = world.foreign_task().await;
    for path in ["", "/steps", "/events", "?wait=1"] {
        world.get(&format!("/v1/tasks/{id}{path}")).await.assert_problem(404, "not_found");
    }
    world.post(&format!("/v1/tasks/{id}/cancel"), &json!({})).await.assert_problem(404, "not_found");
    assert_eq!(ids(&world, "").await, [""; 0]);
    assert!(!world.store.task(id).await.unwrap().unwrap().state.is_terminal());
}

#[tokio::test]
async fn unknown_ids_and_what_is_no_id_are_not_found() {
    let world = world().await;
    let unknown = TaskId::new();
    for path in [
        format!("/v1/tasks/{unknown}"),
        format!("/v1/tasks/{unknown}/steps"),
        format!("/v1/tasks/{unknown}/events"),
        "/v1/tasks/first".to_owned(),
        "/v1/tasks/%2e%2e%2fpasswd".to_owned(),
        "/v1/tasks/%ff".to_owned(),
    ] {
        world.get(&path).await.assert_problem(404, "not_found");
    }
    world.post(&format!("/v1/tasks/{unknown}/cancel"), &json!({})).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn percent_encoded_ids_are_the_same_ids() {
    let world = world().await;
    let id = world.submit().await;
    let encoded = id.to_string().replace('-', "%2D");
    assert_eq!(world.get(&format!("/v1/tasks/{encoded}")).await.json()["id"], id.to_string());
}

#[tokio::test]
async fn steps_are_shown_in_order() {
    let world = world().await;
    let id = world.submit().await;
    assert_eq!(world.get(&format!("/v1/tasks/{id}/steps")).await.json(), json!([]));
    let lease = world.open(id).await;
    for tool in ["pdf_parse", "validate"] {
        let step = store::NewStep {
            kind: store::StepKind::Tool,
            started_at: types::Timestamp::now(),
            duration: std::time::Duration::from_millis(250),
            prompt_tokens: 3,
            completion_tokens: 2,
            summary: json!({ "tool": tool }),
        };
        lease.record_step(step).await.unwrap();
    }
    let steps = world.get(&format!("/v1/tasks/{id}/steps")).await.json();
    assert_eq!((&steps[0]["ordinal"], &steps[0]["summary"]["tool"]), (&json!(1), &json!("pdf_parse")));
    assert_eq!((&steps[1]["ordinal"], &steps[1]["summary"]["tool"]), (&json!(2), &json!("validate")));
    assert_eq!((&steps[0]["kind"], &steps[0]["duration_ms"]), (&json!("tool"), &json!(250)));
    lease.release().await.unwrap();
}
