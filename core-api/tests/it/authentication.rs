//! Who is let in, and what each may do.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use store::{Actor, NewApiKey};
use types::{ApiKeyId, Role, TaskId, Timestamp};

use core_api::KeySecret;

use crate::world::{ADMIN_KEY, World, keyed_world, task, world};

fn admin() -> KeySecret {
    KeySecret::given(ADMIN_KEY)
}

/// Every operation of the interface, with what it stands for filled in.
fn operations(id: TaskId) -> Vec<(Method, String)> {
    let document = serde_json::to_value(core_api::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "sales").replace("/documents/{id}", "/documents/doc_000000000000");
        let path = path
            .replace("/keys/{id}", "/keys/key_000000000000")
            .replace("/webhooks/{id}", "/webhooks/whk_000000000000");
        let path = path.replace("{id}", &id.to_string());
        for method in item.as_object().unwrap().keys() {
            operations.push((method.to_ascii_uppercase().parse().unwrap(), path.clone()));
        }
    }
    operations
}

const OPEN: [&str; 3] = ["/healthz", "/readyz", "/openapi.json"];

/// With a body that fits where one is needed.
fn request(world: &World, method: &Method, path: &str) -> RequestBuilder {
    let request = world.request(method.clone(), path);
    let body = match path {
        "/v1/tasks" => task(),
        "/v1/dlq:requeue" | "/v1/dlq:purge" => json!({ "filter": {} }),
        "/v1/queue/pause" => json!({ "scope": "class:batch", "reason": "a test" }),
        "/v1/queue/resume" => json!({ "scope": "class:batch" }),
        "/v1/keys" => json!({ "role": "submitter", "name": "nightly" }),
        "/v1/teams/sales" => json!({ "weight": 2 }),
        _ => return if *method == Method::POST { request.body("x") } else { request },
    };
    if *method == Method::GET { request } else { request.json(&body) }
}

#[tokio::test]
async fn without_a_key_nothing_is_shown_but_what_is_open_to_all() {
    let world = keyed_world().await;
    for (method, path) in operations(TaskId::new()) {
        let answer = world.send(request(&world, &method, &path)).await;
        if OPEN.contains(&path.as_str()) {
            assert_eq!(answer.status, StatusCode::OK, "{path}");
        } else {
            answer.assert_problem(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path}");
        }
    }
    for path in ["/v2", "/beside"] {
        world.get(path).await.assert_problem(401, "unauthenticated");
    }
    let metrics = world.get_as(&admin(), "/metrics").await.text();
    assert!(metrics.contains("openclaw_tasks_rejected_total{reason=\"unauthorized\"}"), "{metrics}");
    assert!(!metrics.contains("{reason=\"unauthorized\"} 0"), "{metrics}");
}

#[tokio::test]
async fn what_is_no_good_key_is_refused() {
    let world = keyed_world().await;
    let wrong = [String::new(), "talon_".to_owned(), ADMIN_KEY.to_uppercase(), KeySecret::random().as_str().to_owned()];
    for key in wrong {
        let answer = world.send(world.request(Method::GET, "/v1/tasks").bearer_auth(&key)).await;
        answer.assert_problem(401, "unauthenticated");
        assert!(key.is_empty() || !answer.text().contains(&key), "{}", answer.text());
    }
    let basic = world.request(Method::GET, "/v1/tasks").basic_auth("admin", Some(ADMIN_KEY));
    world.send(basic).await.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_administrators_key_needs_no_store() {
    let world = keyed_world().await;
    world.store.close().await;
    world.get_as(&admin(), "/v1/agents").await.json();
    assert_eq!(world.get_as(&admin(), "/v1/agents").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_expired_key_is_good_no_more() {
    let world = keyed_world().await;
    let secret = KeySecret::random();
    let expires_at = Some(Timestamp::from_millis(Timestamp::now().as_millis() - 1));
    let (id, team) = (ApiKeyId::random(), "sales".parse().unwrap());
    let key = NewApiKey { id, team, role: Role::Admin, name: "old".to_owned(), sha256: secret.digest(), expires_at };
    world.store.create_key(key, &Actor::system()).await.unwrap();
    let answer = world.get_as(&secret, "/v1/tasks").await;
    answer.assert_problem(401, "unauthenticated");
    assert!(answer.text().contains("expired"), "{}", answer.text());
}

#[tokio::test]
async fn a_revoked_key_is_good_no_more_at_once() {
    let world = keyed_world().await;
    let secret = world.key("sales", Role::Submitter).await;
    assert_eq!(world.get_as(&secret, "/v1/tasks").await.status, StatusCode::OK);
    let keys = world.get_as(&admin(), "/v1/keys").await.json();
    let path = format!("/v1/keys/{}", keys[0]["id"].as_str().unwrap());
    assert_eq!(world.send_as(&admin(), world.request(Method::DELETE, &path)).await.status, StatusCode::OK);
    let answer = world.get_as(&secret, "/v1/tasks").await;
    answer.assert_problem(401, "unauthenticated");
    assert!(answer.text().contains("revoked"), "{}", answer.text());
}

#[tokio::test]
async fn a_key_costs_no_look_up_for_each_request() {
    let world = keyed_world().await;
    let secret = world.key("sales", Role::Submitter).await;
    assert_eq!(world.get_as(&secret, "/v1/agents").await.status, StatusCode::OK);
    // The agents need no store, and the key is remembered.
    world.store.close().await;
    assert_eq!(world.get_as(&secret, "/v1/agents").await.status, StatusCode::OK);
    let other = KeySecret::random();
    world.get_as(&other, "/v1/agents").await.assert_problem(503, "stopping");
}

#[tokio::test]
async fn each_role_may_do_what_is_its_own_and_what_lower_ones_may() {
    let world = keyed_world().await;
    let needed = |path: &str| match path {
        path if path.starts_with("/v1/keys") || path.starts_with("/v1/teams") => Role::Admin,
        "/metrics" => Role::Operator,
        path if ["/v1/dlq", "/v1/queue", "/v1/webhooks"].iter().any(|own| path.starts_with(own)) => Role::Operator,
        _ => Role::Submitter,
    };
    for role in Role::ALL {
        let key = world.key("sales", role).await;
        for (method, path) in operations(TaskId::new()) {
            let answer = world.send_as(&key, request(&world, &method, &path)).await;
            if role < needed(&path) {
                answer.assert_problem(403, "role_needed");
                let text = answer.text();
                assert!(text.contains(&format!("needs the role {}", needed(&path))), "{path}: {text}");
            } else {
                assert!(!matches!(answer.status.as_u16(), 401 | 403 | 500..), "{role} {method} {path}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_another_team_is_there() {
    let world = keyed_world().await;
    let (ours, theirs) = (world.key("default", Role::Operator).await, world.key("others", Role::Operator).await);
    let document = world.send_as(&theirs, world.request(Method::POST, "/v1/documents").body("text")).await.json();
    let waiting = world.foreign_task().await;
    let dead = world.foreign_task().await;
    world.bury(dead).await;

    let document = format!("/v1/documents/{}", document["id"].as_str().unwrap());
    let mut paths = vec![document.clone(), format!("{document}/content"), format!("/v1/dlq/{dead}")];
    for id in [waiting, dead] {
        paths.extend(["", "/steps", "/events", "/explain"].map(|part| format!("/v1/tasks/{id}{part}")));
    }
    for path in &paths {
        // The answer alone: events of a waiting task have no end.
        let shown = world.request(Method::GET, path).bearer_auth(theirs.as_str()).send().await.unwrap();
        assert_eq!(shown.status(), StatusCode::OK, "{path}");
        world.get_as(&ours, path).await.assert_problem(404, "not_found");
    }
    for path in [
        format!("/v1/tasks/{waiting}/cancel"),
        format!("/v1/tasks/{dead}/retry"),
        format!("/v1/dlq/{dead}/requeue"),
        "/v1/webhooks/whk_000000000000/retry".to_owned(),
    ] {
        world.send_as(&ours, world.request(Method::POST, &path)).await.assert_problem(404, "not_found");
    }
    let purge = world.request(Method::DELETE, &format!("/v1/dlq/{dead}"));
    world.send_as(&ours, purge).await.assert_problem(404, "not_found");
    for path in ["/v1/dlq:purge", "/v1/dlq:requeue"] {
        let all = world.request(Method::POST, path).json(&json!({ "filter": {} }));
        assert_eq!(world.send_as(&ours, all).await.json()["matched"], 0, "{path}");
    }
    for path in ["/v1/tasks", "/v1/dlq"] {
        assert_eq!(world.get_as(&ours, path).await.json()["tasks"], json!([]), "{path}");
        assert_ne!(world.get_as(&theirs, path).await.json()["tasks"], json!([]), "{path}");
    }
    let with_document = json!({ "agent": "summary", "documents": [document.rsplit('/').next()] });
    let submit = world.request(Method::POST, "/v1/tasks").json(&with_document);
    world.send_as(&ours, submit).await.assert_problem(422, "unknown_document");
    assert_eq!(world.store.task(dead).await.unwrap().unwrap().state, types::TaskState::Dead);
}

#[tokio::test]
async fn a_keys_tasks_are_its_teams_and_its_name_is_in_the_audit_log() {
    let world = keyed_world().await;
    let key = world.key("sales", Role::Submitter).await;
    let submitted = world.send_as(&key, world.request(Method::POST, "/v1/tasks").json(&task())).await.json();
    assert_eq!(submitted["team"], "sales");
    let log = world.store.audit(0, 100).await.unwrap();
    let entry = log.iter().find(|entry| entry.action == "task.accept").unwrap();
    assert!(entry.actor.as_str().starts_with("key:key_"), "{entry:?}");
}

#[tokio::test]
async fn the_same_idempotency_key_of_two_teams_is_two() {
    let world = keyed_world().await;
    let mut ids = Vec::new();
    for team in ["default", "others"] {
        let key = world.key(team, Role::Submitter).await;
        let request = world.request(Method::POST, "/v1/tasks").header("Idempotency-Key", "order-1").json(&task());
        ids.push(world.send_as(&key, request).await.json()["id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn routes_of_other_crates_are_told_the_team() {
    let world = keyed_world().await;
    let key = world.key("sales", Role::Submitter).await;
    assert_eq!(world.get_as(&key, "/beside").await.text(), "beside sales");
    assert_eq!(crate::world::world().await.get("/beside").await.text(), "beside default");
}

#[tokio::test]
async fn the_document_says_how_a_key_is_sent_and_where_none_is_needed() {
    let document = world().await.get("/openapi.json").await.json();
    assert_eq!(document["components"]["securitySchemes"]["api_key"]["scheme"], "bearer");
    assert_eq!(document["security"], json!([{ "api_key": [] }]));
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let own = OPEN.contains(&path.as_str()).then(|| json!([{}]));
            assert_eq!(operation.get("security"), own.as_ref(), "{path}");
        }
    }
}
