//! Text to tokens and back, in vLLM's form.

use serde_json::{Value, json};

use crate::world::{named_tool, request, world};

#[tokio::test]
async fn texts_survive_the_way_to_tokens_and_back() {
    let world = world().await;
    for text in ["Hello, world", " two  spaces ", "", "ä€🦀\n\u{0}", "[INST] <s>"] {
        for special in [true, false] {
            let asked = json!({ "model": "pocket", "prompt": text, "add_special_tokens": special });
            let body = world.answer("/tokenize", &asked).await;
            let tokens = body["tokens"].as_array().unwrap();
            assert_eq!((&body["count"], &body["max_model_len"]), (&json!(tokens.len()), &json!(2048)));
            assert_eq!(tokens.first() == Some(&json!(1)), special, "{text:?}");
            assert!(tokens.iter().skip(1).all(|token| token != 1), "{text:?}");
            let back = world.answer("/detokenize", &json!({ "model": "pocket", "tokens": tokens })).await;
            assert_eq!(back, json!({ "prompt": text }));
        }
    }
}

#[tokio::test]
async fn a_conversation_has_as_many_tokens_as_its_prompt() {
    let world = world().await;
    let prompt_tokens = async |tools: Value| {
        let (mut asked, mut counted) = (request(), json!({ "messages": request()["messages"] }));
        if tools != json!([]) {
            (asked["tools"], counted["tools"]) = (tools.clone(), tools);
        }
        asked["tool_choice"] = json!("none");
        let counted = world.answer("/tokenize", &counted).await["count"].take();
        assert_eq!(world.complete(&asked).await["usage"]["prompt_tokens"], counted);
        counted.as_u64().unwrap()
    };
    assert!(prompt_tokens(json!([])).await < prompt_tokens(json!([named_tool("weigh")])).await);
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_by_name() {
    let world = world().await;
    let user = json!([{ "role": "user", "content": "x" }]);
    for (path, body, param) in [
        ("/tokenize", json!({}), "prompt"),
        ("/tokenize", json!({ "prompt": "x", "messages": user }), "prompt"),
        ("/tokenize", json!({ "prompt": "x", "tools": [] }), "tools"),
        ("/tokenize", json!({ "messages": user, "add_special_tokens": false }), "add_special_tokens"),
        ("/tokenize", json!({ "messages": [] }), "messages"),
        ("/tokenize", json!({ "prompt": "x", "mood": 1 }), "mood"),
        ("/detokenize", json!({}), "tokens"),
        ("/detokenize", json!({ "tokens": [1, 3072] }), "tokens[1]"),
        ("/detokenize", json!({ "tokens": [-1] }), "tokens[0]"),
    ] {
        let (status, error) = world.refuse_at(path, &body).await;
        assert_eq!((status, &error["param"]), (400, &json!(param)), "{path} {body}: {error}");
    }
    let (status, _) = world.refuse_at("/tokenize", &json!({ "model": "gpt-4o", "prompt": "x" })).await;
    assert_eq!(status, 404);
}
