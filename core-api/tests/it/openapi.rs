//! `/openapi.json` is valid, and says all and only what the server does.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::world::world;

fn document() -> Value {
    serde_json::to_value(core_api::openapi()).unwrap()
}

/// Each operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, &Map<String, Value>)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods
            .map(move |(method, operation)| (method.to_ascii_uppercase(), path.clone(), operation.as_object().unwrap()))
    });
    all.collect()
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

#[test]
fn the_interface_is_this() {
    let document = document();
    let mut lines: Vec<String> = operations(&document)
        .into_iter()
        .map(|(method, path, operation)| {
            let statuses: Vec<&str> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            format!("{method} {path} {} {}", operation["operationId"].as_str().unwrap(), statuses.join(" "))
        })
        .collect();
    lines.sort();
    assert_eq!(lines.join("\n") + "\n", include_str!("../fixtures/interface.txt"));
}

#[tokio::test]
async fn the_served_document_is_the_one_of_the_code_and_of_what_stands_beside() {
    let answer = world().await.get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut served = answer.json();
    assert!(served["paths"].as_object_mut().unwrap().remove("/beside").is_some());
    assert_eq!(served, document());
}

#[tokio::test]
async fn every_described_route_exists_and_takes_no_other_methods() {
    let (world, document) = (world().await, document());
    for (path, item) in document["paths"].as_object().unwrap() {
        let described: BTreeSet<String> =
            item.as_object().unwrap().keys().map(|key| key.to_ascii_uppercase()).collect();
        let filled = path.replace("{id}", "x").replace("{name}", "x");
        let other = world.send(world.request(Method::PATCH, &filled)).await;
        assert_eq!(other.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed: BTreeSet<String> =
            other.header("allow").unwrap().split(',').map(|method| method.trim().to_owned()).collect();
        // HEAD comes with GET.
        let allowed: BTreeSet<String> = allowed.into_iter().filter(|method| method != "HEAD").collect();
        assert_eq!(allowed, described, "{path}");
        for method in described {
            let answer = world.send(world.request(method.parse().unwrap(), &filled)).await;
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert!(!answer.text().contains("no_such_route"), "{method} {path}");
        }
    }
}

#[test]
fn it_is_openapi_3_1_with_unique_operations() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    for field in ["title", "version"] {
        assert!(document["info"][field].is_string(), "{field}");
    }
    let ids: Vec<&str> =
        operations(&document).iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (method, path, operation) in operations(&document) {
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
    }
}

#[test]
fn every_parameter_is_where_it_is_said_to_be() {
    for (method, path, operation) in operations(&document()) {
        let place = format!("{method} {path}");
        let parameters = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
        let named = |at: &str| {
            let names = parameters.iter().filter(|parameter| parameter["in"] == at);
            names.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(named("path"), in_path.map(str::to_owned).collect(), "{place}");
        for parameter in &parameters {
            assert!(parameter["description"].is_string() && parameter["schema"].is_object(), "{place}: {parameter}");
            assert_eq!(parameter["required"], json!(parameter["in"] == "path"), "{place}: {parameter}");
        }
    }
}

#[test]
fn every_answer_is_described_and_every_error_is_a_problem() {
    for (method, path, operation) in operations(&document()) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let place = format!("{method} {path} {status}");
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}");
            let content = response["content"].as_object();
            if status.starts_with('2') {
                assert_eq!(content.is_none(), status == "204", "{place}");
            } else {
                let schema = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
                assert_eq!(
                    content.unwrap(),
                    json!({ "application/problem+json": schema }).as_object().unwrap(),
                    "{place}"
                );
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    walk("", &document, &mut |_, entries| {
        if let Some(Value::String(reference)) = entries.get("$ref") {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
            used.insert(reference.rsplit('/').next().unwrap().to_owned());
        }
    });
    let declared: BTreeSet<String> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(used, declared);
}

#[test]
fn every_schema_is_a_json_schema() {
    let document = document();
    let mut count = 0;
    let mut check = |name: &str, schema: &Value| {
        let result = jsonschema::draft202012::meta::validate(schema);
        assert!(result.is_ok(), "{name}: {schema}");
        count += 1;
    };
    walk("", &document, &mut |key, entries| {
        if key == "schema" {
            check(key, &Value::Object(entries.clone()));
        }
    });
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        check(name, schema);
    }
    assert!(20 < count, "{count}");
}
