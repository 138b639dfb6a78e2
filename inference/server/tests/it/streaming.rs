//! Answers piece by piece.

use std::time::Duration;

use inference::EngineConfig;
use inference_server::Options;
use reqwest::Response;
use serde_json::{Value, json};

use crate::scripted::{Pass, scripted};
use crate::sse::{self, Event, Reader};
use crate::world::{PATIENT, World, changed, tool, until, with, world};

const CHAT: &str = "/v1/chat/completions";

fn streamed(changes: Value) -> Value {
    changed(with(&json!({ "stream": true })), &changes)
}

#[tokio::test]
async fn the_pieces_of_an_answer_are_the_whole_answer() {
    let world = world().await;
    let chunks = world.stream(CHAT, &streamed(json!({}))).await;
    let whole = world.complete(&with(&json!({}))).await;
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, whole["choices"][0]["message"]["content"]);
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk.get("usage").is_none(), "{chunk}");
        for name in ["id", "created", "model", "system_fingerprint"] {
            assert_eq!(chunk[name], chunks[0][name], "{chunk}");
        }
    }
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
    assert_eq!(chunks[0]["choices"], choice(json!({ "role": "assistant", "content": "" }), Value::Null));
    assert_eq!(chunks.last().unwrap()["choices"], choice(json!({}), json!("stop")));
    assert!(chunks.len() > 4);
}

#[tokio::test]
async fn the_usage_comes_last_and_only_if_it_is_asked_for() {
    let world = world().await;
    let asked = streamed(json!({ "stream_options": { "include_usage": true } }));
    let chunks = world.stream(CHAT, &asked).await;
    let (last, others) = chunks.split_last().unwrap();
    assert!(others.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));
    assert_eq!(last["choices"], json!([]));
    let whole = world.complete(&with(&json!({}))).await;
    for name in ["prompt_tokens", "completion_tokens", "total_tokens"] {
        assert_eq!(last["usage"][name], whole["usage"][name]);
    }
}

#[tokio::test]
async fn calls_come_as_openais_clients_expect_them() {
    let world = world().await;
    let asked = json!({
        "stream": true, "tools": [tool()], "tool_choice": "required", "response_format": null, "temperature": 5,
    });
    let chunks = world.stream(CHAT, &with(&asked)).await;
    let finish = &chunks.last().unwrap()["choices"][0]["finish_reason"];
    assert_eq!(finish, "tool_calls");
    let pieces: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    let mut calls: Vec<String> = Vec::new();
    for piece in pieces {
        let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
        if index == calls.len() {
            assert_eq!(piece["id"].as_str().unwrap().len(), 9);
            assert_eq!(piece["type"], "function");
            assert_eq!(piece["function"], json!({ "name": "weigh", "arguments": "" }));
            calls.push(String::new());
        } else {
            let keys: Vec<&String> = piece.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["index", "function"], "{piece}");
            calls[index].push_str(piece["function"]["arguments"].as_str().unwrap());
        }
    }
    assert!(!calls.is_empty());
    for arguments in calls {
        let arguments: Value = serde_json::from_str(&arguments).unwrap();
        assert!((1..=99).contains(&arguments["count"].as_u64().unwrap()), "{arguments}");
    }
}

#[tokio::test]
async fn a_stream_can_be_cut_anywhere_on_its_way() {
    let world = world().await;
    // Characters of several bytes, so that cuts go through them.
    let format = json!({ "type": "regex", "regex": "(ä€🦀\\n|\\u2028){8}" });
    let asked = streamed(json!({ "response_format": format, "temperature": 3 }));
    let text = world.ask(&asked).await.text().await.unwrap();
    let whole = sse::events(&text);
    assert!(text.contains('🦀') || text.contains('\u{2028}'), "{text}");
    for cut in 0..=text.len() {
        let mut reader = Reader::default();
        reader.push(&text.as_bytes()[..cut]);
        reader.push(&text.as_bytes()[cut..]);
        assert_eq!(reader.events, whole, "cut at {cut}");
    }
}

#[tokio::test]
async fn who_waits_hears_that_the_server_lives() {
    let (backend, script) = scripted();
    let options = Options { keep_alive: Duration::from_millis(1), ..PATIENT };
    let world = World::with_backend(backend, EngineConfig::default(), options).await;
    let mut response = world.ask(&streamed(json!({ "response_format": null, "max_tokens": 1 }))).await;
    let mut reader = Reader::default();
    // Nothing is computed yet.
    while reader.events.iter().filter(|event| **event == Event::Comment).count() < 3 {
        reader.push(&response.chunk().await.unwrap().unwrap());
    }
    drop(script);
    read_to_end(&mut response, &mut reader).await;
    let done = Event::Data { name: None, data: "[DONE]".to_owned() };
    assert_eq!(reader.events.last(), Some(&done));
}

#[tokio::test]
async fn an_error_in_the_middle_is_the_last_event() {
    let (backend, script) = scripted();
    let world = World::with_backend(backend, EngineConfig::default(), PATIENT).await;
    let mut response = world.ask(&streamed(json!({ "response_format": null, "max_tokens": 50, "n": 2 }))).await;
    let mut reader = Reader::default();
    while reader.events.len() < 4 {
        script.send(Pass::Works).unwrap();
        reader.push(&response.chunk().await.unwrap().unwrap());
    }
    // A pass that fails is tried again for each sequence alone.
    (0..8).for_each(|_| script.send(Pass::Fails).unwrap());
    read_to_end(&mut response, &mut reader).await;
    let Some(Event::Data { name: Some(name), data }) = reader.events.last() else { panic!("{:?}", reader.events) };
    let error: Value = serde_json::from_str(data).unwrap();
    let error = &error["error"];
    assert_eq!(
        (name.as_str(), &error["type"], &error["code"]),
        ("error", &json!("server_error"), &json!("model_failed"))
    );
    until(|| world.is_at_rest()).await;
}

#[tokio::test]
async fn what_is_refused_before_it_begins_has_its_status() {
    let world = world().await;
    let (status, error) = world.refuse(&streamed(json!({ "temperature": -1 }))).await;
    assert_eq!((status, &error["param"]), (400, &json!("temperature")));
    let long = json!([{ "role": "user", "content": "word ".repeat(3000) }]);
    assert_eq!(world.refuse(&streamed(json!({ "messages": long }))).await.0, 400);
}

#[tokio::test]
async fn proxies_are_asked_not_to_hold_it_back() {
    let world = world().await;
    let response = world.ask(&streamed(json!({}))).await;
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
}

async fn read_to_end(response: &mut Response, reader: &mut Reader) {
    while let Some(bytes) = response.chunk().await.unwrap() {
        reader.push(&bytes);
    }
    assert!(reader.is_whole());
}
