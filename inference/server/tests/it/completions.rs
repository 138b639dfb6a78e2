//! What comes back when all is well.

use serde_json::{Value, json};

use crate::world::{request, tool, with, world};

#[tokio::test]
async fn models_are_listed() {
    let world = world().await;
    let list: Value = world.client.get(format!("{}/v1/models", world.url)).send().await.unwrap().json().await.unwrap();
    let entry = json!({ "id": "pocket", "object": "model", "created": 0, "owned_by": "talon", "max_model_len": 2048 });
    assert_eq!(list, json!({ "object": "list", "data": [entry] }));
}

#[tokio::test]
async fn an_answer_has_openais_form_and_keeps_to_its_schema() {
    let world = world().await;
    let mut body = world.complete(&with(&json!({ "temperature": 5.0 }))).await;
    let content = body["choices"][0]["message"]["content"].take();
    let answer: Value = serde_json::from_str(content.as_str().unwrap()).unwrap();
    assert!(answer["zone"].is_string() && answer["open"].is_boolean(), "{answer}");

    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(body["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("pocket")));
    let message = json!({ "role": "assistant", "content": null, "refusal": null });
    let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" });
    assert_eq!(body["choices"], json!([choice]));
    let count = |name: &str| body["usage"][name].as_u64().unwrap();
    assert!(count("prompt_tokens") > 0 && count("completion_tokens") > 0);
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));
}

#[tokio::test]
async fn a_required_tool_is_called_by_its_schema() {
    let world = world().await;
    let asked = json!({ "tools": [tool()], "tool_choice": "required", "temperature": 5.0, "response_format": null });
    let body = world.complete(&with(&asked)).await;
    let choice = &body["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weigh")));
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert!((1..=99).contains(&arguments["count"].as_u64().unwrap()), "{arguments}");
}

#[tokio::test]
async fn the_conversation_goes_on_with_what_was_sent_back() {
    let world = world().await;
    let asked = json!({ "tools": [tool()], "tool_choice": "required", "response_format": null });
    let first = world.complete(&with(&asked)).await;
    let message = &first["choices"][0]["message"];
    let result = json!({ "role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "{\"kg\": 3}" });
    let user = json!({ "role": "user", "content": "Weigh it." });
    let asked = json!({ "tools": [tool()], "tool_choice": "none", "messages": [user, message, result] });
    let second = world.complete(&with(&asked)).await;
    assert_eq!(second["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_answer() {
    let world = world().await;
    let asked = with(&json!({ "temperature": 3.0, "top_p": 0.99 }));
    let (first, second) = (world.complete(&asked).await, world.complete(&asked).await);
    assert_eq!(first["choices"], second["choices"]);
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn what_is_said_by_default_may_be_said_aloud() {
    let world = world().await;
    let aloud = json!({ "stream": false, "tools": [], "tool_choice": "auto", "temperature": 1, "top_p": 1 });
    assert_eq!(world.complete(&with(&aloud)).await["choices"], world.complete(&request()).await["choices"]);
}

#[tokio::test]
async fn other_routes_are_left_to_others() {
    let world = world().await;
    let answer = world.client.get(format!("{}/v1/embeddings", world.url)).send().await.unwrap();
    assert_eq!(answer.status(), 418);
}
