//! What is refused, in OpenAI's form and by name.

use serde_json::{Value, json};

use crate::world::{World, refusal, request, tool, with, world};

async fn check(world: &World, changes: Value, param: &str, code: &str, words: &str) {
    let (status, error) = world.refuse(&with(&changes)).await;
    assert_eq!((status, &error["type"]), (400, &json!("invalid_request_error")), "{error}");
    assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{error}");
    assert!(error["message"].as_str().unwrap().contains(words), "{words:?} is not in {error}");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_by_name() {
    let world = world().await;
    check(&world, json!({ "logit_bias": {} }), "logit_bias", "unknown_parameter", "`logit_bias`").await;
    check(&world, json!({ "n": 2 }), "n", "unknown_parameter", "`n`").await;
    check(&world, json!({ "stream": true }), "stream", "unsupported_value", "not supported yet").await;
    let named = json!({ "type": "function", "function": { "name": "weigh" } });
    check(&world, json!({ "tool_choice": named }), "tool_choice", "invalid_value", "").await;
    let object = json!({ "type": "json_object" });
    check(&world, json!({ "response_format": object }), "response_format.type", "invalid_value", "`json_schema`").await;
}

#[tokio::test]
async fn values_out_of_range_are_refused_by_name() {
    let world = world().await;
    check(&world, json!({ "temperature": -1 }), "temperature", "invalid_value", "0 (greedy) to 100").await;
    check(&world, json!({ "top_p": 0 }), "top_p", "invalid_value", "above 0").await;
    check(&world, json!({ "max_tokens": 0 }), "max_tokens", "invalid_value", "at least 1").await;
    check(&world, json!({ "seed": "x" }), "seed", "invalid_value", "i64").await;
}

#[tokio::test]
async fn conversations_that_cannot_go_on_are_refused_by_place() {
    let world = world().await;
    let user = json!({ "role": "user", "content": "Hello." });
    let system = json!({ "role": "system", "content": "Help." });
    let assistant = json!({ "role": "assistant", "content": "Hello." });
    let result = json!({ "role": "tool", "tool_call_id": "abc", "content": "x" });
    let call = json!({ "id": "abc", "type": "function", "function": { "name": "weigh", "arguments": "3" } });
    let calls = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
    for (messages, param, words) in [
        (json!([]), "messages", "empty"),
        (json!([user, assistant]), "messages[1].role", "user or tool"),
        (json!([user, system, user]), "messages[1].role", "at the start"),
        (json!([user, result]), "messages[1].tool_call_id", "no earlier message"),
        (json!([user, calls, result]), "messages[1].tool_calls", "no JSON object"),
        (json!([user, { "role": "assistant" }, user]), "messages[1].content", "needs content or tool_calls"),
    ] {
        check(&world, json!({ "messages": messages }), param, "invalid_value", words).await;
    }
    let (_, error) = world.refuse(&with(&json!({ "messages": [{ "role": "user", "content": "x", "mood": 1 }] }))).await;
    assert_eq!((&error["param"], &error["code"]), (&json!("messages[0]"), &json!("unknown_parameter")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("`mood`"), "{error}");
}

#[tokio::test]
async fn schemas_that_cannot_be_enforced_are_refused() {
    let world = world().await;
    let mut bad = tool();
    bad["function"]["parameters"]["properties"]["count"] = json!({ "type": "string", "format": "no-such-format" });
    let (status, error) = world.refuse(&with(&json!({ "tools": [bad] }))).await;
    assert_eq!((status, &error["code"]), (400, &json!("unsupported_schema")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("tool \"weigh\" cannot be enforced at /properties/count"));

    let (_, error) = world.refuse(&with(&json!({ "tool_choice": "required", "response_format": null }))).await;
    assert!(error["message"].as_str().unwrap().contains("no tool is callable"), "{error}");
    let none = json!({ "response_format": { "type": "json_schema" } });
    check(&world, none, "response_format.json_schema", "missing_value", "give one").await;
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let (status, error) = world().await.refuse(&with(&json!({ "model": "gpt-4o" }))).await;
    assert_eq!((status, &error["param"], &error["code"]), (404, &json!("model"), &json!("model_not_found")));
    assert_eq!(error["message"], "there is no model \"gpt-4o\"; this server has pocket");
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let world = world().await;
    let post = |body: &'static str| world.client.post(format!("{}/v1/chat/completions", world.url)).body(body);
    for body in ["", "{", "{} {}"] {
        let (status, error) = refusal(post(body).send().await.unwrap()).await;
        assert_eq!(status, 400, "{error}");
    }
    let (_, error) = refusal(post("{").send().await.unwrap()).await;
    assert_eq!((&error["code"], &error["param"]), (&json!("invalid_json"), &Value::Null));
}

#[tokio::test]
async fn a_field_that_is_needed_is_named() {
    let (_, error) = world().await.refuse(&with(&json!({ "messages": null }))).await;
    assert!(error["message"].as_str().unwrap().contains("missing field `messages`"), "{error}");
    assert!(request().get("messages").is_some());
}
