//! What is refused, in OpenAI's form and by name.

use serde_json::{Map, Value, json};

use crate::world::{World, named_tool, refusal, request, tool, with, world};

async fn check(world: &World, changes: Value, param: &str, code: &str, words: &str) {
    let (status, error) = world.refuse(&with(&changes)).await;
    assert_eq!((status, &error["type"]), (400, &json!("invalid_request_error")), "{error}");
    assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{error}");
    assert!(error["message"].as_str().unwrap().contains(words), "{words:?} is not in {error}");
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name() {
    let world = world().await;
    for name in ["functions", "function_call", "audio", "modalities", "service_tier", "best_of", "guided_json", "x"] {
        check(&world, json!({ (name): "y" }), name, "unknown_parameter", &format!("`{name}`")).await;
    }
    check(&world, json!({ "store": true }), "store", "unsupported_value", "nothing is stored").await;
    let options = json!({ "include_usage": true, "x": 1 });
    let asked = json!({ "stream": true, "stream_options": options });
    check(&world, asked, "stream_options.x", "unknown_parameter", "`x`").await;
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_by_name() {
    let world = world().await;
    let check = async |changes: Value, words: &str| {
        let name = changes.as_object().unwrap().keys().next_back().unwrap().clone();
        check(&world, changes, &name, "invalid_value", words).await;
    };
    check(json!({ "temperature": -1 }), "0 (greedy) to 100").await;
    check(json!({ "temperature": 1e300 }), "0 (greedy) to 100").await;
    check(json!({ "temperature": "hot" }), "f32").await;
    check(json!({ "top_p": 0 }), "above 0").await;
    check(json!({ "top_p": 1.01 }), "at most 1").await;
    check(json!({ "top_k": -2 }), "at least 1").await;
    check(json!({ "top_k": 1.5 }), "i64").await;
    check(json!({ "min_p": 2 }), "0 to 1").await;
    check(json!({ "repetition_penalty": 0 }), "0.01 to 100").await;
    check(json!({ "frequency_penalty": 2.1 }), "-2 to 2").await;
    check(json!({ "presence_penalty": -2.1 }), "-2 to 2").await;
    check(json!({ "max_tokens": 0 }), "at least 1").await;
    check(json!({ "max_tokens": -1 }), "usize").await;
    check(json!({ "max_tokens": 1e30 }), "usize").await;
    check(json!({ "max_tokens": 5, "min_tokens": 6 }), "max_tokens (5)").await;
    check(json!({ "max_tokens": 5, "max_completion_tokens": 6 }), "one of them").await;
    check(json!({ "seed": "x" }), "i64").await;
    check(json!({ "seed": 1.5 }), "i64").await;
    check(json!({ "seed": 1e30 }), "i64").await;
    check(json!({ "n": 0 }), "1 to 16").await;
    check(json!({ "n": 1_000_000_000 }), "1 to 16").await;
    check(json!({ "n": -1 }), "usize").await;
    check(json!({ "top_logprobs": 3 }), "needs logprobs").await;
    check(json!({ "logprobs": true, "top_logprobs": 21 }), "at most 20").await;
    check(json!({ "logprobs": 5 }), "bool").await;
    check(json!({ "stream": "yes" }), "bool").await;
    check(json!({ "stream_options": {} }), "go with stream").await;
}

#[tokio::test]
async fn biases_and_stops_that_cannot_be_are_refused_by_name() {
    let world = world().await;
    let check = async |changes: Value, param: &str, words: &str| {
        check(&world, changes, param, "invalid_value", words).await;
    };
    check(json!({ "logit_bias": { "5": 101 } }), "logit_bias", "-100 to 100").await;
    check(json!({ "logit_bias": { "5": "x" } }), "logit_bias.5", "f32").await;
    check(json!({ "logit_bias": [5] }), "logit_bias", "map").await;
    for key in ["3072", "-1", "05", "+5", "x", "", "99999999999"] {
        check(json!({ "logit_bias": { (key): 1 } }), &format!("logit_bias.{key}"), "0 to 3071").await;
    }
    let many: Map<String, Value> = (0..1025).map(|id| (id.to_string(), json!(1))).collect();
    check(json!({ "logit_bias": many }), "logit_bias", "at most 1024").await;
    check(json!({ "stop": ["a", "b", "c", "d", "e"] }), "stop", "at most 4").await;
    check(json!({ "stop": "" }), "stop", "1 to 1024").await;
    check(json!({ "stop": ["a", "x".repeat(1025)] }), "stop", "1025 bytes").await;
    check(json!({ "stop": 5 }), "stop", "a string or a list").await;
    check(json!({ "stop_token_ids": [3072] }), "stop_token_ids", "below 3072").await;
    check(json!({ "stop_token_ids": ["x"] }), "stop_token_ids[0]", "u32").await;
}

#[tokio::test]
async fn tools_that_cannot_be_are_refused_by_name() {
    let world = world().await;
    let check = async |changes: Value, param: &str, code: &str, words: &str| {
        check(&world, changes, param, code, words).await;
    };
    let named = json!({ "type": "function", "function": { "name": "weigh" } });
    check(json!({ "tool_choice": named }), "tool_choice", "invalid_value", "\"weigh\"").await;
    check(json!({ "tool_choice": "any" }), "tool_choice", "invalid_value", "\"required\"").await;
    check(json!({ "tool_choice": "required" }), "tool_choice", "invalid_value", "no tools").await;
    check(json!({ "tools": [tool(), tool()] }), "tools[1].function.name", "invalid_value", "two tools").await;
    for name in ["", "a b", "ä", &"x".repeat(65)] {
        check(json!({ "tools": [named_tool(name)] }), "tools[0].function.name", "invalid_value", "letters").await;
    }
    let many: Vec<Value> = (0..129).map(|index| named_tool(&format!("t{index}"))).collect();
    check(json!({ "tools": many }), "tools", "invalid_value", "at most 128").await;
    let other = json!({ "type": "retrieval" });
    check(json!({ "tools": [other] }), "tools[0].type", "invalid_value", "`function`").await;
    let mut bad = tool();
    bad["function"]["parameters"] = json!([]);
    check(json!({ "tools": [bad] }), "tools[0].function.parameters", "invalid_value", "JSON schema").await;
    check(json!({ "tools": { "a": 1 } }), "tools", "invalid_value", "sequence").await;
}

#[tokio::test]
async fn forms_that_cannot_be_enforced_are_refused() {
    let world = world().await;
    let mut bad = tool();
    bad["function"]["parameters"]["properties"]["count"] = json!({ "type": "string", "format": "no-such-format" });
    let (status, error) = world.refuse(&with(&json!({ "tools": [bad] }))).await;
    assert_eq!((status, &error["code"]), (400, &json!("unsupported_schema")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("tool \"weigh\" cannot be enforced at /properties/count"));

    let schema = |schema: Value| json!({ "type": "json_schema", "json_schema": { "name": "a", "schema": schema } });
    let mut deep = json!({ "type": "string" });
    for _ in 0..100 {
        deep = json!({ "type": "array", "items": deep });
    }
    let large = json!({ "enum": (0..60_000).map(|index| format!("value {index}")).collect::<Vec<_>>() });
    for format in [
        schema(json!({ "type": "nothing" })),
        schema(json!({ "$ref": "#/$defs/absent" })),
        schema(deep),
        schema(large),
        json!({ "type": "regex", "regex": "(" }),
    ] {
        let (status, error) = world.refuse(&with(&json!({ "response_format": format }))).await;
        assert_eq!((status, &error["code"]), (400, &json!("unsupported_schema")), "{error}");
    }
    let check = async |format: Value, words: &str| {
        let (status, error) = world.refuse(&with(&json!({ "response_format": format }))).await;
        assert_eq!(status, 400, "{error}");
        assert!(error["param"].as_str().unwrap().starts_with("response_format"), "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{words:?} is not in {error}");
    };
    check(json!({ "type": "json_schema" }), "json_schema").await;
    check(json!({ "type": "regex" }), "regex").await;
    check(json!({ "type": "text", "regex": "x" }), "`regex`").await;
    check(json!({ "type": "json_object", "json_schema": {} }), "`json_schema`").await;
    check(json!({ "type": "xml" }), "`xml`").await;
    check(json!({}), "type").await;
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let (status, error) = world().await.refuse(&with(&json!({ "model": "gpt-4o" }))).await;
    assert_eq!((status, &error["param"], &error["code"]), (404, &json!("model"), &json!("model_not_found")));
    assert_eq!(error["message"], "there is no model \"gpt-4o\"; this server has pocket");
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let world = world().await;
    let deep = "[".repeat(100_000);
    for body in
        [&b""[..], b"{", b"{} {}", b"{\"model\": \"\xff\"}", b"{\"a\": \"\\ud800\"}", b"{'a': 1}", deep.as_bytes()]
    {
        let sent = world.post("/v1/chat/completions").body(body.to_vec()).send().await.unwrap();
        let (status, error) = refusal(sent).await;
        assert_eq!((status, &error["code"], &error["param"]), (400, &json!("invalid_json"), &Value::Null), "{error}");
    }
    for body in ["3", "[]", "null"] {
        let (status, error) = refusal(world.post("/v1/completions").body(body).send().await.unwrap()).await;
        assert_eq!((status, &error["code"]), (400, &json!("invalid_value")), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_stands_twice_is_refused_at_any_depth() {
    let world = world().await;
    for (body, param) in [
        (r#"{"model": "pocket", "n": 1, "messages": [], "n": 2}"#, Value::Null),
        (r#"{"logit_bias": {"5": 1, "5": -1}}"#, json!("logit_bias")),
        (
            r#"{"tools": [{"function": {"parameters": {"type": "object", "type": "array"}}}]}"#,
            json!("tools[0].function.parameters"),
        ),
    ] {
        let sent = world.post("/v1/chat/completions").body(body).send().await.unwrap();
        let (status, error) = refusal(sent).await;
        assert_eq!((status, &error["code"], &error["param"]), (400, &json!("duplicate_key"), &param), "{error}");
    }
}

#[tokio::test]
async fn a_field_that_is_needed_is_named() {
    let world = world().await;
    for name in ["messages", "model"] {
        let (_, error) = world.refuse(&with(&json!({ (name): null }))).await;
        assert_eq!((&error["param"], &error["code"]), (&json!(name), &json!("missing_parameter")), "{error}");
    }
    assert!(request().get("messages").is_some());
}
