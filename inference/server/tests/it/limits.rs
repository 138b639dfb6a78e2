//! Limits of the model, the engine and the server.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use inference::EngineConfig;
use inference_server::Options;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted::scripted;
use crate::world::{PATIENT, World, client, refusal, request, with, world};

#[tokio::test]
async fn a_conversation_that_does_not_fit_is_refused_with_both_numbers() {
    let world = world().await;
    let messages = json!([{ "role": "user", "content": "word ".repeat(3000) }]);
    let tokens = world.answer("/tokenize", &json!({ "messages": messages })).await["count"].to_string();
    let (status, error) = world.refuse(&with(&json!({ "messages": messages }))).await;
    assert_eq!((status, &error["code"]), (400, &json!("context_length_exceeded")), "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("2047") && message.contains(&tokens), "{error}");
}

#[tokio::test]
async fn a_body_beyond_all_contexts_is_refused() {
    let messages = json!([{ "role": "user", "content": "x".repeat(10 << 20) }]);
    let (status, error) = world().await.refuse(&with(&json!({ "messages": messages }))).await;
    assert_eq!((status, &error["code"]), (413, &json!("body_too_large")), "{error}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let options = Options { request_timeout: Duration::from_millis(20), ..PATIENT };
    let world = World::new(EngineConfig::default(), options).await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
}

#[tokio::test]
async fn a_reply_that_takes_too_long_is_given_up() {
    let options = Options { request_timeout: Duration::from_millis(100), ..PATIENT };
    let (backend, script) = scripted();
    let world = World::with_backend(backend, EngineConfig::default(), options).await;
    let asked = with(&json!({ "response_format": null, "max_tokens": 2000 }));
    let ended = world.pass_until(&script, || world.ended("deadline") == 1.0);
    let (answer, ()) = tokio::join!(world.ask(&asked), ended);
    assert_eq!(answer.headers()["x-should-retry"], "false", "the official clients would ask again");
    let (status, error) = refusal(answer).await;
    assert_eq!((status, &error["code"]), (504, &json!("deadline_passed")), "{error}");
}

#[tokio::test]
async fn a_full_engine_says_when_to_come_back() {
    let (backend, _script) = scripted();
    let config = EngineConfig { max_num_seqs: 1, max_waiting: 1, ..EngineConfig::default() };
    let world = World::with_backend(backend, config, PATIENT).await;
    let body = request();
    // Nothing is computed: of those who are not refused, none is answered.
    let mut answers: FuturesUnordered<_> = (0..8).map(|_| world.ask(&body)).collect();
    let first = answers.next().await.unwrap();
    assert_eq!(first.headers()["retry-after"], "1");
    let (status, error) = refusal(first).await;
    assert_eq!((status, &error["type"], &error["code"]), (429, &json!("rate_limit_error"), &json!("overloaded")));
}

#[tokio::test]
async fn a_request_that_is_taken_in_part_is_not_taken() {
    let (backend, script) = scripted();
    let config = EngineConfig { max_num_seqs: 1, max_waiting: 2, ..EngineConfig::default() };
    let world = World::with_backend(backend, config, PATIENT).await;
    let asked = with(&json!({ "response_format": null, "max_tokens": 2000, "n": 16 }));
    assert_eq!(world.refuse(&asked).await.0, 429);
    world.pass_until(&script, || world.is_at_rest()).await;
    assert_eq!(world.ended("length"), 0.0);
}

#[tokio::test]
async fn an_engine_that_stops_says_so() {
    let world = world().await;
    world.model.handle().drain().await;
    let answer = world.ask(&request()).await;
    assert_eq!(answer.headers()["retry-after"], "5");
    assert!(!answer.headers().contains_key("x-should-retry"));
    let (status, error) = refusal(answer).await;
    assert_eq!((status, &error["type"], &error["code"]), (503, &json!("server_error"), &json!("stopping")));
}

#[tokio::test]
async fn a_server_without_models_says_so() {
    let url = serve(inference_server::router(BTreeMap::new(), PATIENT).into()).await;
    let list: Value = client().get(format!("{url}/v1/models")).send().await.unwrap().json().await.unwrap();
    assert_eq!(list["data"], json!([]));
    let ask = async |path: &str, body: Value| {
        refusal(client().post(url.clone() + path).json(&body).send().await.unwrap()).await
    };
    let (status, error) = ask("/v1/chat/completions", request()).await;
    assert_eq!((status, &error["message"]), (404, &json!("there is no model \"pocket\"; this server has none")));
    let (status, error) = ask("/tokenize", json!({ "prompt": "x" })).await;
    assert_eq!((status, &error["param"]), (400, &json!("model")));
}

#[tokio::test]
async fn a_server_that_loads_says_so_on_every_route() {
    let url = serve(inference_server::loading(3)).await;
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/models/x", "/tokenize", "/detokenize"] {
        let answer = client().post(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(answer.headers()["retry-after"], "3");
        let (status, error) = refusal(answer).await;
        assert_eq!((status, &error["code"]), (503, &json!("starting")), "{path}");
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
