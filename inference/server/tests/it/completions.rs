//! Plain continuations.

use serde_json::{Value, json};

use crate::world::{changed, world};

const PATH: &str = "/v1/completions";

fn request() -> Value {
    json!({ "model": "pocket", "prompt": "Dear Sir", "seed": 5 })
}

fn texts(body: &Value) -> Vec<String> {
    body["choices"].as_array().unwrap().iter().map(|choice| choice["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_text_is_gone_on_with_for_sixteen_tokens_unless_told() {
    let world = world().await;
    let body = world.answer(PATH, &request()).await;
    assert!(body["id"].as_str().unwrap().starts_with("cmpl-"));
    assert_eq!(body["object"], "text_completion");
    let choice = &body["choices"][0];
    assert_eq!((&choice["index"], &choice["logprobs"]), (&json!(0), &Value::Null));
    let length = choice["finish_reason"] == "length";
    assert!(body["usage"]["completion_tokens"].as_u64().unwrap() == 16 || !length, "{body}");
    let short = world.answer(PATH, &changed(request(), &json!({ "max_tokens": 2 }))).await;
    assert_eq!(
        (&short["usage"]["completion_tokens"], &short["choices"][0]["finish_reason"]),
        (&json!(2), &json!("length"))
    );
}

#[tokio::test]
async fn the_pieces_are_the_whole() {
    let world = world().await;
    let whole = world.answer(PATH, &request()).await;
    let asked = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let chunks = world.stream(PATH, &changed(request(), &asked)).await;
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!([text], texts(&whole)[..]);
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], whole["usage"]["total_tokens"]);
    let last = &chunks[chunks.len() - 2]["choices"][0];
    assert_eq!((&last["text"], &last["finish_reason"]), (&json!(""), &whole["choices"][0]["finish_reason"]));
}

#[tokio::test]
async fn a_prompt_may_be_text_or_its_tokens_one_or_several() {
    let world = world().await;
    let tokens = async |text: &str| world.answer("/tokenize", &json!({ "prompt": text })).await["tokens"].take();
    let (first, second) = (tokens("Dear Sir").await, tokens("Yours").await);
    let ask = async |prompt: Value| {
        let asked = json!({ "prompt": prompt, "temperature": 0 });
        world.answer(PATH, &changed(request(), &asked)).await
    };
    let one = texts(&ask(json!("Dear Sir")).await);
    assert_eq!(texts(&ask(first.clone()).await), one);
    let both = ask(json!(["Dear Sir", "Yours"])).await;
    assert_eq!(texts(&both)[..1], one);
    let lists = ask(json!([first, second])).await;
    assert_eq!(lists["choices"], both["choices"]);
    let count = first.as_array().unwrap().len() + second.as_array().unwrap().len();
    assert_eq!(both["usage"]["prompt_tokens"], count);
}

#[tokio::test]
async fn answers_to_one_prompt_stand_together() {
    let world = world().await;
    let asked = json!({ "prompt": ["Dear Sir", "Yours"], "n": 2, "temperature": 0 });
    let body = world.answer(PATH, &changed(request(), &asked)).await;
    let texts = texts(&body);
    assert_eq!(body["choices"][3]["index"], 3);
    assert_eq!((&texts[0], &texts[2]), (&texts[1], &texts[3]));
}

#[tokio::test]
async fn a_form_and_stop_texts_hold_here_too() {
    let world = world().await;
    let format = json!({ "type": "regex", "regex": "[0-9]{3};[0-9]{3}" });
    let asked = changed(request(), &json!({ "response_format": format }));
    let whole = texts(&world.answer(PATH, &asked).await).remove(0);
    assert!(whole.len() == 7 && whole.as_bytes()[3] == b';', "{whole}");
    let cut = texts(&world.answer(PATH, &changed(asked, &json!({ "stop": ";" }))).await).remove(0);
    assert_eq!(cut, whole[..3]);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_name() {
    let world = world().await;
    for (changes, param, code) in [
        (json!({ "suffix": "x" }), "suffix", "unknown_parameter"),
        (json!({ "best_of": 2 }), "best_of", "unknown_parameter"),
        (json!({ "messages": [] }), "messages", "unknown_parameter"),
        (json!({ "echo": true }), "echo", "unsupported_value"),
        (json!({ "prompt": null }), "prompt", "missing_parameter"),
        (json!({ "prompt": [] }), "prompt", "invalid_value"),
        (json!({ "prompt": [1.5] }), "prompt", "invalid_value"),
        (json!({ "prompt": [[1], "x"] }), "prompt", "invalid_value"),
        (json!({ "prompt": [-1] }), "prompt", "invalid_value"),
        (json!({ "prompt": [3072] }), "prompt", "invalid_value"),
        (json!({ "prompt": [[]] }), "prompt", "invalid_value"),
        (json!({ "prompt": vec!["x"; 65] }), "prompt", "invalid_value"),
        (json!({ "prompt": vec!["x"; 64], "n": 3 }), "n", "invalid_value"),
        (json!({ "prompt": "word ".repeat(3000) }), "prompt", "context_length_exceeded"),
        (json!({ "logprobs": 21 }), "logprobs", "invalid_value"),
        (json!({ "logprobs": true }), "logprobs", "invalid_value"),
    ] {
        let (status, error) = world.refuse_at(PATH, &changed(request(), &changes)).await;
        assert_eq!((status, &error["param"], &error["code"]), (400, &json!(param), &json!(code)), "{error}");
    }
    let (status, error) = world.refuse_at(PATH, &changed(request(), &json!({ "model": "x" }))).await;
    assert_eq!((status, &error["code"]), (404, &json!("model_not_found")));
}
