//! What holds of every grammar: whatever is written within it parses and keeps to its schema.
#![allow(clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::walk::{any_answer, any_tokens, model};
use super::{AnswerForm, Lead, Material, ReplyForm, ToolChoice};
use crate::chat::ToolDefinition;

const NUM_SCHEMAS: usize = 150;
const WALKS_PER_SCHEMA: usize = 4;

/// A schema of every kind of part that can be enforced, with references to `#/$defs/shared`.
fn any_schema(random: &mut StdRng, depth: usize) -> Value {
    let leaf = depth == 0 || random.random_bool(0.3);
    match random.random_range(0..if leaf { 9 } else { 14 }) {
        0 => json!({"type": "string", "maxLength": random.random_range(0..6)}),
        1 => {
            let least = random.random_range(0..4);
            json!({"type": "string", "minLength": least, "maxLength": least + random.random_range(0..4)})
        }
        2 => {
            let patterns = ["^[a-f]{2,4}$", "^(ä|€|\"|\\\\){1,3}$", "^\\d{3}-\\w+$", "x", "^[^a-z]?$"];
            json!({"type": "string", "pattern": patterns.choose(random).unwrap(), "maxLength": 12})
        }
        3 => {
            let least = random.random_range(-200..100);
            json!({"type": "integer", "minimum": least, "maximum": least + random.random_range(0..150)})
        }
        4 => json!({"type": "number", "exclusiveMinimum": -3, "maximum": random.random_range(0..90)}),
        5 => json!({"type": ["boolean", "null"]}),
        6 => json!({"enum": ["one", "two \"quoted\"", 3, -4.5, null, true, ["a", {"b": 1}], {"c": "€"}]}),
        7 => json!({"const": {"fixed": [1, "\u{7f}\n\\"]}}),
        8 => json!({"$ref": "#/$defs/shared"}),
        9 => {
            let least = random.random_range(0..3);
            let items = any_schema(random, depth - 1);
            json!({"type": "array", "items": items, "minItems": least, "maxItems": least + random.random_range(0..3)})
        }
        10 => {
            let first = [any_schema(random, depth - 1), any_schema(random, depth - 1)];
            json!({"type": "array", "prefixItems": first, "items": false, "minItems": random.random_range(0..3)})
        }
        11 => json!({"anyOf": [any_schema(random, depth - 1), any_schema(random, depth - 1)]}),
        12 => {
            let values = any_schema(random, depth - 1);
            json!({"type": "object", "additionalProperties": values, "maxProperties": random.random_range(0..3)})
        }
        _ => any_object(random, depth),
    }
}

fn any_object(random: &mut StdRng, depth: usize) -> Value {
    let names = ["a", "the name", "with \"signs\" \\ €", "enum", "漢字"];
    let num_names = random.random_range(0..=names.len());
    let properties: Map<String, Value> =
        names[..num_names].iter().map(|name| ((*name).to_owned(), any_schema(random, depth - 1))).collect();
    let required: Vec<&String> = properties.keys().filter(|_| random.random_bool(0.5)).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn any_object_with_definitions(random: &mut StdRng) -> Value {
    let mut schema = any_object(random, 3);
    schema["$defs"] = json!({"shared": {"type": "object", "properties": {
        "size": {"type": "integer", "minimum": 0},
        "again": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/shared"}]},
    }, "required": ["size", "again"], "additionalProperties": false}});
    schema
}

#[test]
fn answers_of_random_schemas_parse_and_keep_to_them() {
    let (model, mut random) = (model(), StdRng::seed_from_u64(17));
    for _ in 0..NUM_SCHEMAS {
        let schema = any_object_with_definitions(&mut random);
        let grammar = model.grammars.compile(&Material::default(), &[], ToolChoice::None, Some(&schema)).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for _ in 0..WALKS_PER_SCHEMA {
            let answer = any_answer(&model, grammar.clone(), &mut random);
            let value: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
            assert!(validator.is_valid(&value), "{answer} does not keep to {schema}");
        }
    }
}

#[test]
fn random_calls_are_of_known_tools_and_as_many_as_allowed() {
    let (model, mut random) = (model(), StdRng::seed_from_u64(23));
    let mut numbers_seen = [false; 4];
    for _ in 0..20 {
        let tool = |name: &str, random: &mut StdRng| ToolDefinition {
            name: name.to_owned(),
            description: String::new(),
            parameters: any_object_with_definitions(random),
        };
        let tools = [tool("first", &mut random), tool("second \"tool\"", &mut random)];
        let form = ReplyForm {
            tools: &tools,
            choice: ToolChoice::Required,
            max_calls: 3,
            answer: &AnswerForm::Text,
            material: &Material::default(),
            lead: Lead::Space,
        };
        let grammar = model.grammars.compile_form(&form).unwrap();
        for _ in 0..5 {
            let tokens = any_tokens(&model, grammar.clone(), &mut random);
            assert_eq!(Some(tokens[0]), model.tokenizer.control("[TOOL_CALLS]"));
            let calls: Vec<Value> = serde_json::from_str(&model.tokenizer.decode(&tokens)).unwrap();
            numbers_seen[calls.len()] = true;
            for call in calls {
                let tool = tools.iter().find(|tool| call["name"] == tool.name).unwrap();
                assert!(jsonschema::is_valid(&tool.parameters, &call["arguments"]), "{call}");
                assert_eq!(call["id"].as_str().unwrap().len(), 9);
            }
        }
    }
    assert_eq!(numbers_seen, [false, true, true, true]);
}

#[test]
fn an_answer_is_matched_by_its_regular_expression_as_a_whole() {
    let (model, mut random) = (model(), StdRng::seed_from_u64(29));
    for (pattern, first, num_chars) in [
        ("[A-C]{3}/[0-9]{2}", "ABC", 6..=6),
        ("^ (x|yy)$", " ", 2..=3),
        ("\n?a", "\na", 1..=2),
        ("", "", 0..=0),
        ("(?i)no|YES", "nNyY", 2..=3),
        ("[äöü🦀]{2,3}", "äöü🦀", 2..=3),
    ] {
        let answer = AnswerForm::Regex(pattern.to_owned());
        let grammar = model.grammars.compile(&Material::default(), &[], ToolChoice::None, answer).unwrap();
        for _ in 0..10 {
            let text = any_answer(&model, grammar.clone(), &mut random);
            assert!(num_chars.contains(&text.chars().count()), "{text:?} of {pattern:?}");
            assert!(text.chars().next().is_none_or(|character| first.contains(character)), "{text:?} of {pattern:?}");
        }
    }
}
