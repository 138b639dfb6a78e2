//! How urgent a request is, how long it may take and whose it is: in a header, or in the body.

use std::cell::RefCell;

use inference::EngineConfig;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::scripted::scripted;
use crate::world::{PATIENT, World, endless, refusal, with, world};

#[tokio::test]
async fn a_deadline_ends_an_answer_wherever_it_is_said() {
    let world = world().await;
    let in_body = {
        let mut asked = endless();
        asked["deadline_ms"] = json!(5);
        world.post("/v1/chat/completions").json(&asked)
    };
    let in_header = world.post("/v1/chat/completions").header("x-talon-deadline-ms", "5").json(&endless());
    for asked in [in_body, in_header] {
        let (status, error) = refusal(asked.send().await.unwrap()).await;
        assert_eq!((status, &error["code"]), (504, &json!("deadline_passed")), "{error}");
    }
}

#[tokio::test]
async fn tenants_share_computed_beginnings_only_with_themselves() {
    let world = world().await;
    let messages = json!([{ "role": "user", "content": "word ".repeat(100) }]);
    let cached = async |salt: Value, header: Option<&str>| {
        let mut asked = with(&json!({ "messages": messages }));
        asked["cache_salt"] = salt;
        let mut request = world.post("/v1/chat/completions").json(&asked);
        if let Some(salt) = header {
            request = request.header("x-talon-cache-salt", salt);
        }
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        body["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap() > 0
    };
    assert!(!cached(Value::Null, None).await);
    assert!(!cached(json!("a"), None).await);
    assert!(cached(json!("a"), None).await);
    assert!(cached(Value::Null, Some("a")).await);
    // What a proxy says comes first.
    assert!(!cached(json!("a"), Some("b")).await);
}

#[tokio::test]
async fn the_urgent_go_first() {
    let (backend, script) = scripted();
    let config = EngineConfig { max_num_seqs: 1, ..EngineConfig::default() };
    let world = World::with_backend(backend, config, PATIENT).await;
    let waiting = || world.model.handle().stats().waiting;
    let post = |priority: &str, max_tokens: usize| {
        let asked = with(&json!({ "response_format": null, "max_tokens": max_tokens }));
        world.post("/v1/chat/completions").header("x-talon-priority", priority).json(&asked).send()
    };
    let ended = RefCell::new(Vec::new());
    let ask = async |priority: &'static str| {
        post(priority, 1).await.unwrap().text().await.unwrap();
        ended.borrow_mut().push(priority);
    };

    let running = tokio::spawn(post("normal", 2000));
    world.pass(&script).await;
    let urgent = async {
        world.pass_until(&script, || waiting() == 1).await;
        let end = async {
            world.pass_until(&script, || waiting() == 2).await;
            running.abort();
            world.pass_until(&script, || ended.borrow().len() == 2).await;
        };
        tokio::join!(ask("interactive"), end);
    };
    tokio::join!(ask("batch"), urgent);
    assert_eq!(*ended.borrow(), ["interactive", "batch"]);
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let world = world().await;
    for (name, value) in [
        ("x-talon-priority", "9"),
        ("x-talon-priority", "urgent"),
        ("x-talon-deadline-ms", "soon"),
        ("x-talon-deadline-ms", "-1"),
        ("x-talon-cache-salt", "ä"),
    ] {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let asked = world.post("/v1/chat/completions").header(name, value).json(&with(&json!({})));
        let (status, error) = refusal(asked.send().await.unwrap()).await;
        assert_eq!((status, &error["param"]), (400, &json!(name)), "{error}");
    }
    for (name, value) in
        [("priority", json!(9)), ("deadline_ms", json!(0)), ("deadline_ms", json!(-5)), ("cache_salt", json!(""))]
    {
        let (status, error) = world.refuse(&with(&json!({ (name): value }))).await;
        assert_eq!((status, &error["param"]), (400, &json!(name)), "{error}");
    }
}
