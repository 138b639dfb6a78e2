//! What comes back of a chat when all is well.

use serde_json::{Value, json};

use crate::world::{request, tool, with, world};

#[tokio::test]
async fn models_are_listed_and_found_by_name() {
    let world = world().await;
    let get = async |path: &str| world.client.get(format!("{}{path}", world.url)).send().await.unwrap();
    let entry = json!({ "id": "pocket", "object": "model", "created": 0, "owned_by": "talon", "max_model_len": 2048 });
    assert_eq!(get("/v1/models/pocket").await.json::<Value>().await.unwrap(), entry);
    let list = json!({ "object": "list", "data": [entry] });
    assert_eq!(get("/v1/models").await.json::<Value>().await.unwrap(), list);
    assert_eq!(get("/v1/models/gpt-4o").await.status(), 404);
}

#[tokio::test]
async fn an_answer_has_openais_form_and_keeps_to_its_schema() {
    let world = world().await;
    let mut body = world.complete(&with(&json!({ "temperature": 5.0 }))).await;
    let content = body["choices"][0]["message"]["content"].take();
    let answer: Value = serde_json::from_str(content.as_str().unwrap()).unwrap();
    assert!(answer["zone"].is_string() && answer["open"].is_boolean(), "{answer}");

    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(body["system_fingerprint"].as_str().unwrap().starts_with("fp_"));
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
async fn a_prompt_that_was_computed_before_is_counted_as_cached() {
    let world = world().await;
    let messages = json!([{ "role": "user", "content": "word ".repeat(100) }]);
    let cached = async || {
        let body = world.complete(&with(&json!({ "messages": messages }))).await;
        body["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap()
    };
    assert_eq!(cached().await, 0);
    assert!(cached().await >= 96);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_answer() {
    let world = world().await;
    for seed in [json!(7), json!(-1), json!(i64::MIN)] {
        let asked = with(&json!({ "temperature": 3.0, "top_p": 0.99, "seed": seed }));
        let (first, second) = (world.complete(&asked).await, world.complete(&asked).await);
        assert_eq!(first["choices"], second["choices"]);
        assert_eq!(first["system_fingerprint"], second["system_fingerprint"]);
        assert_ne!(first["id"], second["id"]);
    }
}

#[tokio::test]
async fn what_is_said_by_default_may_be_said_aloud_or_be_null() {
    let world = world().await;
    let plain = world.complete(&request()).await["choices"].take();
    let aloud = json!({
        "stream": false, "tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "temperature": 1, "top_p": 1,
        "top_k": -1, "min_p": 0, "n": 1, "logprobs": false, "frequency_penalty": 0, "presence_penalty": 0,
        "repetition_penalty": 1, "logit_bias": {}, "stop": [], "stop_token_ids": [], "min_tokens": 0,
        "max_completion_tokens": 200, "user": "u", "metadata": { "a": "b" }, "store": false, "priority": "normal",
    });
    assert_eq!(world.complete(&with(&aloud)).await["choices"], plain);
    let mut nulls = request();
    let names = ["stream", "stream_options", "tools", "tool_choice", "n", "logprobs", "stop", "functions", "audio"];
    for name in names {
        nulls[name] = Value::Null;
    }
    assert_eq!(world.complete(&nulls).await["choices"], plain);
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_by_length() {
    let world = world().await;
    for name in ["max_tokens", "max_completion_tokens"] {
        let body = world.complete(&with(&json!({ "max_tokens": null, (name): 3 }))).await;
        assert_eq!(body["choices"][0]["finish_reason"], "length", "{body}");
        assert_eq!(body["usage"]["completion_tokens"], 3, "{body}");
    }
}

#[tokio::test]
async fn content_may_come_in_parts_and_developers_speak_as_the_system_does() {
    let world = world().await;
    let parts = json!([{ "type": "text", "text": "Do" }, { "type": "text", "text": "it." }]);
    let cases = [("system", json!("Do\nit.")), ("system", parts.clone()), ("developer", parts)];
    let mut answers = Vec::new();
    for (role, content) in cases {
        let messages = json!([{ "role": role, "content": content }, { "role": "user", "content": content }]);
        answers.push(world.complete(&with(&json!({ "messages": messages }))).await["choices"].take());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test]
async fn the_conversation_goes_on_with_what_was_sent_back() {
    let world = world().await;
    let asked = json!({ "tools": [tool()], "tool_choice": "required", "response_format": null });
    let first = world.complete(&with(&asked)).await;
    let mut message = first["choices"][0]["message"].clone();
    // As the official clients write what they were given.
    for name in ["audio", "function_call", "annotations"] {
        message[name] = Value::Null;
    }
    let mut messages = vec![json!({ "role": "user", "content": "Weigh it." }), message.clone()];
    for call in message["tool_calls"].as_array().unwrap() {
        let content = json!([{ "type": "text", "text": "{\"kg\": 3}" }]);
        messages.push(json!({ "role": "tool", "name": "weigh", "tool_call_id": call["id"], "content": content }));
    }
    let asked = json!({ "tools": [tool()], "tool_choice": "none", "messages": messages });
    let second = world.complete(&with(&asked)).await;
    assert_eq!(second["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn calls_with_ids_of_other_servers_are_understood() {
    let world = world().await;
    let call = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "weigh", "arguments": "{}" } });
    let messages = |first: &str, second: &str| {
        json!([
            { "role": "user", "content": "Weigh it." },
            { "role": "assistant", "content": "", "tool_calls": [call(first), call(second)] },
            { "role": "tool", "tool_call_id": second, "content": "3" },
            { "role": "tool", "tool_call_id": first, "content": "heavy" },
            { "role": "user", "content": "And?" },
        ])
    };
    let (own, others) = (messages("012345678", "abcdefghi"), messages("call_2", &format!("call_{}", "a".repeat(99))));
    let asked = with(&json!({ "messages": others }));
    assert_eq!(world.complete(&asked).await["choices"][0]["finish_reason"], "stop");
    // The model sees nine letters and digits, which differ in tokens a little.
    let count = async |messages: &Value| {
        world.answer("/tokenize", &json!({ "messages": messages })).await["count"].as_u64().unwrap()
    };
    assert!(count(&own).await.abs_diff(count(&others).await) < 30);
}

#[tokio::test]
async fn an_answer_takes_the_form_that_is_asked_for() {
    let world = world().await;
    let content = async |format: Value| {
        let asked = json!({ "response_format": format, "max_tokens": 60, "temperature": 3 });
        let choice = world.complete(&with(&asked)).await["choices"][0].take();
        (choice["message"]["content"].as_str().unwrap().to_owned(), choice["finish_reason"] == "length")
    };
    let (text, _) = content(json!({ "type": "regex", "regex": "[ab]{3}-[0-9]{2}" })).await;
    assert!(text.len() == 6 && text.as_bytes()[3] == b'-' && text[4..].parse::<u8>().is_ok(), "{text}");
    let (text, was_cut) = content(json!({ "type": "json_object" })).await;
    assert!(text.starts_with('{') && (was_cut || serde_json::from_str::<Value>(&text).is_ok()), "{text}");
    content(json!({ "type": "text" })).await;
}

#[tokio::test]
async fn a_stop_text_ends_an_answer_without_being_in_it() {
    let world = world().await;
    let whole = world.complete(&request()).await;
    let whole = whole["choices"][0]["message"]["content"].as_str().unwrap();
    for stop in [json!("\"open"), json!(["no such text", "\"open"])] {
        let choice = world.complete(&with(&json!({ "stop": stop }))).await["choices"][0].take();
        assert_eq!(choice["message"]["content"], whole[..whole.find("\"open").unwrap()]);
        assert_eq!(choice["finish_reason"], "stop");
    }
}

#[tokio::test]
async fn sampling_parameters_reach_the_sampler() {
    let world = world().await;
    let tokens = world.answer("/tokenize", &json!({ "prompt": "x", "add_special_tokens": false })).await;
    let token = tokens["tokens"].as_array().unwrap().last().unwrap().as_u64().unwrap();
    let bias = json!({ (token.to_string()): 100 });
    let forced = json!({ "response_format": null, "logit_bias": bias, "max_tokens": 5, "temperature": 0 });
    let body = world.complete(&with(&forced)).await;
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(text.replace(' ', ""), "xxxxx", "{body}");

    let stopped = json!({ "response_format": null, "logit_bias": bias, "max_tokens": 5, "stop_token_ids": [token] });
    let choice = world.complete(&with(&stopped)).await["choices"][0].take();
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!(""), &json!("stop")));
}

#[tokio::test]
async fn other_routes_are_left_to_others_and_other_methods_are_not() {
    let world = world().await;
    let answer = world.client.get(format!("{}/v1/embeddings", world.url)).send().await.unwrap();
    assert_eq!(answer.status(), 418);
    let answer = world.client.get(format!("{}/v1/chat/completions", world.url)).send().await.unwrap();
    assert_eq!(answer.headers()["allow"], "POST");
    let (status, error) = crate::world::refusal(answer).await;
    assert_eq!((status, &error["code"]), (405, &json!("wrong_method")));
}
