//! Several answers to one prompt.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::{changed, with, world};

#[tokio::test]
async fn several_answers_come_whole_and_streamed() {
    let world = world().await;
    let asked = with(&json!({ "n": 3, "temperature": 5 }));
    let body = world.complete(&asked).await;
    let whole: Vec<&Value> =
        body["choices"].as_array().unwrap().iter().map(|choice| &choice["message"]["content"]).collect();
    let indices: Vec<&Value> = body["choices"].as_array().unwrap().iter().map(|choice| &choice["index"]).collect();
    assert_eq!(indices, [0, 1, 2]);
    let distinct: BTreeSet<&str> = whole.iter().filter_map(|text| text.as_str()).collect();
    assert_eq!(distinct.len(), 3, "{body}");

    let options = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let chunks = world.stream("/v1/chat/completions", &changed(asked, &options)).await;
    let mut texts = vec![String::new(); 3];
    let mut ended = vec![0; 3];
    for chunk in chunks.iter().filter(|chunk| chunk["choices"] != json!([])) {
        let choice = &chunk["choices"][0];
        let index = choice["index"].as_u64().unwrap() as usize;
        texts[index].push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        ended[index] += usize::from(choice["finish_reason"] == "stop");
    }
    assert_eq!((texts, ended), (whole.iter().map(|text| text.as_str().unwrap().to_owned()).collect(), vec![1; 3]));
    let usage = &chunks.last().unwrap()["usage"];
    for name in ["prompt_tokens", "completion_tokens"] {
        assert_eq!(usage[name], body["usage"][name]);
    }
}

#[tokio::test]
async fn a_prompt_counts_once_and_every_answer_counts() {
    let world = world().await;
    let asked = with(&json!({ "temperature": 0 }));
    let (one, three) = (world.complete(&asked).await, world.complete(&changed(asked, &json!({ "n": 3 }))).await);
    let count = |body: &Value, name: &str| body["usage"][name].as_u64().unwrap();
    assert_eq!(count(&three, "prompt_tokens"), count(&one, "prompt_tokens"));
    assert_eq!(count(&three, "completion_tokens"), 3 * count(&one, "completion_tokens"));
}

#[tokio::test]
async fn an_answer_does_not_depend_on_how_many_there_are() {
    let world = world().await;
    let asked = with(&json!({ "temperature": 5 }));
    let alone = world.complete(&asked).await["choices"][0].take();
    assert_eq!(world.complete(&changed(asked, &json!({ "n": 4 }))).await["choices"][0], alone);
}
