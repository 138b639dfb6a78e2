//! Conversations that no model can go on with, and where they go wrong.

use serde_json::{Value, json};

use crate::world::{with, world};

fn say(role: &str) -> Value {
    json!({ "role": role, "content": "x" })
}

fn call(id: &str, arguments: &str) -> Value {
    let call = json!({ "id": id, "type": "function", "function": { "name": "weigh", "arguments": arguments } });
    json!({ "role": "assistant", "content": null, "tool_calls": [call] })
}

fn result(id: &str) -> Value {
    json!({ "role": "tool", "tool_call_id": id, "content": "x" })
}

#[tokio::test]
async fn conversations_that_cannot_go_on_are_refused_with_the_place() {
    let world = world().await;
    let (user, system, assistant) = (say("user"), say("system"), say("assistant"));
    for (messages, param, words) in [
        (json!([]), "messages", "empty"),
        (json!([system]), "messages[0].role", "user or tool"),
        (json!([user, assistant]), "messages[1].role", "user or tool"),
        (json!([assistant, user]), "messages[0].role", "begins with role user"),
        (json!([system, result("a")]), "messages[1].role", "begins with role user"),
        (json!([user, system, user]), "messages[1].role", "at the start"),
        (json!([user, say("developer"), user]), "messages[1].role", "at the start"),
        (json!([user, result("a")]), "messages[1].tool_call_id", "no call \"a\" waits"),
        (json!([user, call("a", "{}"), result("b")]), "messages[2].tool_call_id", "no call \"b\" waits"),
        (json!([user, call("a", "{}"), result("a"), result("a")]), "messages[3].tool_call_id", "no call \"a\" waits"),
        (json!([user, call("a", "{}"), user]), "messages[2].role", "\"a\" has no result"),
        (json!([user, call("a", "{}")]), "messages[1].role", "\"a\" has no result"),
        (json!([user, call("a", "3"), result("a")]), "messages[1].tool_calls[0].function.arguments", "no JSON object"),
        (
            json!([user, call("a", "{\"b\": 1, \"b\": 1}"), result("a")]),
            "messages[1].tool_calls[0].function.arguments",
            "twice",
        ),
        (json!([user, { "role": "assistant" }, user]), "messages[1].content", "content or tool_calls"),
        (json!([user, { "role": "assistant", "content": "" }, user]), "messages[1].content", "content or tool_calls"),
    ] {
        let (status, error) = world.refuse(&with(&json!({ "messages": messages }))).await;
        assert_eq!((status, &error["param"]), (400, &json!(param)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{words:?} is not in {error}");
    }
}

#[tokio::test]
async fn messages_that_are_none_are_refused_with_the_field() {
    let world = world().await;
    let image = json!({ "type": "image_url", "image_url": { "url": "x" } });
    for (message, param, code) in [
        (json!({ "role": "user" }), "messages[0].content", "missing_parameter"),
        (json!({ "content": "x" }), "messages[0].role", "missing_parameter"),
        (json!({ "role": "judge", "content": "x" }), "messages[0].role", "invalid_value"),
        (json!({ "role": "function", "content": "x" }), "messages[0].role", "invalid_value"),
        (json!({ "role": "user", "content": 3 }), "messages[0].content", "invalid_value"),
        (json!({ "role": "user", "content": [image] }), "messages[0].content[0].type", "unsupported_value"),
        (
            json!({ "role": "user", "content": [{ "type": "text" }] }),
            "messages[0].content[0].text",
            "missing_parameter",
        ),
        (
            json!({ "role": "user", "content": [{ "type": "text", "text": "x", "mood": 1 }] }),
            "messages[0].content[0].mood",
            "unknown_parameter",
        ),
        (json!({ "role": "user", "content": "x", "mood": 1 }), "messages[0].mood", "unknown_parameter"),
        (json!({ "role": "user", "content": "x", "name": "Ann" }), "messages[0].name", "invalid_value"),
        (json!({ "role": "user", "content": "x", "tool_call_id": "a" }), "messages[0].tool_call_id", "invalid_value"),
        (json!({ "role": "assistant", "content": "x", "refusal": "no" }), "messages[0].refusal", "unknown_parameter"),
        (json!("x"), "messages[0]", "invalid_value"),
    ] {
        let (status, error) = world.refuse(&with(&json!({ "messages": [message] }))).await;
        assert_eq!((status, &error["param"], &error["code"]), (400, &json!(param), &json!(code)), "{error}");
    }
}
