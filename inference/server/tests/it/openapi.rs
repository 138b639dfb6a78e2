//! The description of the routes: valid, and true.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::world::{PATIENT, named_tool, with, world};

fn document() -> Value {
    serde_json::to_value(inference_server::router(BTreeMap::new(), PATIENT).into_openapi()).unwrap()
}

/// Every object in the document, with the key it stands under.
fn walk<'a>(key: &'a str, value: &'a Value, visit: &mut dyn FnMut(&str, &Map<String, Value>)) {
    match value {
        Value::Object(entries) => {
            visit(key, entries);
            entries.iter().for_each(|(key, value)| walk(key, value, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(key, item, visit)),
        _ => {}
    }
}

/// What holds a value to a schema of the document.
fn validator(name: &str) -> jsonschema::Validator {
    let schema = json!({ "$ref": format!("#/components/schemas/{name}"), "components": document()["components"] });
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn the_interface_is_this() {
    let document = document();
    let mut lines = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<&str> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            let (method, id) = (method.to_ascii_uppercase(), operation["operationId"].as_str().unwrap());
            lines.push(format!("{method} {path} {id} {}", statuses.join(" ")));
        }
    }
    lines.sort();
    assert_eq!(lines.join("\n") + "\n", include_str!("../fixtures/interface.txt"));
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    walk("", &document, &mut |_, entries| {
        if let Some(Value::String(reference)) = entries.get("$ref") {
            assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
            used.insert(reference.rsplit('/').next().unwrap().to_owned());
        }
    });
    let declared: BTreeSet<String> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(used, declared);
}

#[test]
fn every_schema_is_a_json_schema() {
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::draft202012::meta::validate(schema).is_ok(), "{name}: {schema}");
    }
}

#[test]
fn every_error_has_openais_form() {
    for (path, item) in document()["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let place = format!("{path} {status}");
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}");
                if !status.starts_with('2') {
                    let schema = json!({ "schema": { "$ref": "#/components/schemas/ErrorResponse" } });
                    assert_eq!(response["content"], json!({ "application/json": schema }), "{place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_sent_and_what_comes_back_is_as_described() {
    let world = world().await;
    let check = |name: &str, value: &Value| {
        let problem = validator(name).iter_errors(value).next().map(|error| error.to_string());
        assert_eq!(problem, None, "{name}: {value}");
    };
    let plain = with(&json!({ "logprobs": true, "top_logprobs": 2, "stop": ["x"], "logit_bias": { "5": 1 } }));
    let named = json!({ "type": "function", "function": { "name": "weigh" } });
    let calling = with(&json!({ "tools": [named_tool("weigh")], "tool_choice": named, "priority": "batch" }));
    for asked in [plain, calling] {
        check("ChatCompletionRequest", &asked);
        check("ChatCompletion", &world.complete(&asked).await);
        let mut streamed = asked;
        streamed["stream"] = json!(true);
        streamed["stream_options"] = json!({ "include_usage": true });
        let chunks = world.stream("/v1/chat/completions", &streamed).await;
        chunks.iter().for_each(|chunk| check("ChatChunk", chunk));
    }
    let mut asked = json!({ "model": "pocket", "prompt": "Dear", "logprobs": 1, "max_tokens": 3 });
    check("CompletionRequest", &asked);
    check("TextCompletion", &world.answer("/v1/completions", &asked).await);
    asked["stream"] = json!(true);
    let chunks = world.stream("/v1/completions", &asked).await;
    chunks.iter().for_each(|chunk| check("TextChunk", chunk));

    let asked = json!({ "prompt": "Dear" });
    check("TokenizeRequest", &asked);
    let tokens = world.answer("/tokenize", &asked).await;
    check("TokenizeResponse", &tokens);
    let asked = json!({ "tokens": tokens["tokens"] });
    check("DetokenizeRequest", &asked);
    check("DetokenizeResponse", &world.answer("/detokenize", &asked).await);
    let models = world.client.get(format!("{}/v1/models", world.url)).send().await.unwrap().json().await.unwrap();
    check("ModelList", &models);
    let refused = world.ask(&json!({})).await.json().await.unwrap();
    check("ErrorResponse", &refused);
}
