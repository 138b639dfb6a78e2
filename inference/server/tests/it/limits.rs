//! Limits of the model, the engine and the server, and callers who go away.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use inference::EngineConfig;
use serde_json::json;

use crate::world::{World, endless, refusal, request, with, world};

#[tokio::test]
async fn a_conversation_that_does_not_fit_is_refused_with_the_limit() {
    let messages = json!([{ "role": "user", "content": "word ".repeat(3000) }]);
    let (status, error) = world().await.refuse(&with(&json!({ "messages": messages }))).await;
    assert_eq!((status, &error["code"]), (400, &json!("context_length_exceeded")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("2047"), "{error}");
}

#[tokio::test]
async fn a_body_beyond_all_contexts_is_refused() {
    let messages = json!([{ "role": "user", "content": "x".repeat(8 << 20) }]);
    let (status, error) = world().await.refuse(&with(&json!({ "messages": messages }))).await;
    assert_eq!((status, &error["code"]), (413, &json!("body_too_large")), "{error}");
}

#[tokio::test]
async fn a_reply_that_does_not_end_in_time_says_so() {
    let (status, error) = world().await.refuse(&with(&json!({ "max_tokens": 3 }))).await;
    assert_eq!((status, &error["param"], &error["code"]), (400, &json!("max_tokens"), &json!("max_tokens_reached")));
    assert!(error["message"].as_str().unwrap().contains("within 3 tokens"), "{error}");
}

#[tokio::test]
async fn a_reply_that_takes_too_long_is_given_up() {
    let world = World::with_timeout(EngineConfig::default(), Duration::from_millis(20)).await;
    let (status, error) = world.refuse(&endless()).await;
    assert_eq!((status, &error["code"]), (504, &json!("deadline_passed")), "{error}");
    assert_eq!(world.ended("deadline"), 1.0);
}

#[tokio::test]
async fn a_full_engine_says_when_to_come_back() {
    let world = World::new(EngineConfig { max_num_seqs: 1, max_waiting: 1, ..EngineConfig::default() }).await;
    let body = endless();
    let mut answers: FuturesUnordered<_> = (0..8).map(|_| world.ask(&body)).collect();
    let first = answers.next().await.unwrap();
    assert_eq!(first.headers()["retry-after"], "1");
    let (status, error) = refusal(first).await;
    assert_eq!((status, &error["type"], &error["code"]), (429, &json!("rate_limit_error"), &json!("overloaded")));
}

#[tokio::test]
async fn an_engine_that_stops_says_so() {
    let world = world().await;
    world.model.handle().drain().await;
    let answer = world.ask(&request()).await;
    assert_eq!(answer.headers()["retry-after"], "5");
    let (status, error) = refusal(answer).await;
    assert_eq!((status, &error["type"], &error["code"]), (503, &json!("server_error"), &json!("stopping")));
}

#[tokio::test]
async fn a_caller_who_goes_away_stops_its_sequence() {
    let world = world().await;
    let body = endless();
    {
        let mut asking = std::pin::pin!(world.ask(&body));
        until(async || {
            // Polled so that the request gets on its way.
            tokio::select! {
                answer = &mut asking => panic!("{answer:?}"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            world.model.handle().stats().running == 1
        })
        .await;
    }
    until(async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        world.ended("aborted") == 1.0
    })
    .await;
    assert_eq!(world.ended("length"), 0.0);
}

/// Looks again and again until it is so.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {}
}
