//! Log-probabilities, in both of their forms.

use serde_json::{Value, json};

use crate::world::{changed, with, world};

#[tokio::test]
async fn the_tokens_of_a_chat_come_with_theirs() {
    let world = world().await;
    let asked = with(&json!({ "logprobs": true, "top_logprobs": 3 }));
    let choice = world.complete(&asked).await["choices"][0].take();
    let tokens = choice["logprobs"]["content"].as_array().unwrap();
    let bytes = tokens.iter().flat_map(|token| token["bytes"].as_array().unwrap());
    let bytes: Vec<u8> = bytes.map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), choice["message"]["content"].as_str().unwrap());
    for token in tokens {
        let keys: Vec<&String> = token.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["token", "logprob", "bytes", "top_logprobs"]);
        let top: Vec<f64> =
            token["top_logprobs"].as_array().unwrap().iter().map(|rival| rival["logprob"].as_f64().unwrap()).collect();
        assert!(top.len() == 3 && top.is_sorted_by(|a, b| a >= b), "{token}");
        assert!(token["logprob"].as_f64().unwrap() <= top[0], "{token}");
    }

    let chunks = world.stream("/v1/chat/completions", &changed(asked, &json!({ "stream": true }))).await;
    let streamed = chunks.iter().filter_map(|chunk| chunk["choices"][0]["logprobs"]["content"].as_array()).flatten();
    assert!(streamed.eq(tokens));
}

#[tokio::test]
async fn no_rivals_come_unless_they_are_asked_for() {
    let world = world().await;
    let choice = world.complete(&with(&json!({ "logprobs": true }))).await["choices"][0].take();
    assert_eq!(choice["logprobs"]["content"][0]["top_logprobs"], json!([]));
}

#[tokio::test]
async fn the_tokens_of_a_plain_completion_come_in_lists() {
    let world = world().await;
    let format = json!({ "type": "regex", "regex": "[a-zä€ ]{9,}" });
    let asked = json!({
        "model": "pocket", "prompt": "Dear", "logprobs": 2, "max_tokens": 8, "seed": 3, "response_format": format,
    });
    let choice = world.answer("/v1/completions", &asked).await["choices"][0].take();
    let list = |name: &str| choice["logprobs"][name].as_array().unwrap().clone();
    let tokens = list("tokens");
    let text = choice["text"].as_str().unwrap();
    assert_eq!(tokens.iter().map(|token| token.as_str().unwrap()).collect::<String>(), text);
    for name in ["token_logprobs", "top_logprobs", "text_offset"] {
        assert_eq!(list(name).len(), tokens.len(), "{choice}");
    }
    let mut end = 0;
    for ((offset, token), (top, logprob)) in
        list("text_offset").iter().zip(&tokens).zip(list("top_logprobs").iter().zip(list("token_logprobs")))
    {
        assert_eq!(offset.as_u64().unwrap() as usize, end);
        end += token.as_str().unwrap().chars().count();
        assert!((2..=3).contains(&top.as_object().unwrap().len()), "{top}");
        assert_eq!(top[token.as_str().unwrap()], logprob);
    }
    let chunks = world.stream("/v1/completions", &changed(asked, &json!({ "stream": true }))).await;
    let streamed = |name: &str| -> Vec<Value> {
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["logprobs"][name].as_array()).flatten().cloned().collect()
    };
    for name in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
        assert_eq!(streamed(name), list(name), "{name}");
    }
}
