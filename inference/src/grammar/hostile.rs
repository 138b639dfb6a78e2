//! What anyone may send in place of a schema or a regular expression: it ends soon, in a grammar or an error, and nobody
//! else notices.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::walk::{model, takes};
use super::{AnswerForm, GrammarError, Material, ToolChoice};
use crate::model::Model;

const MAX_TOKENS: usize = 60;

/// Compiles it, and writes some of it if it is a grammar; gives the message otherwise.
fn run(model: &Model, answer: AnswerForm) -> Option<String> {
    let mut grammar = match model.grammars.compile(&Material::default(), &[], ToolChoice::None, answer) {
        Ok(grammar) => grammar,
        Err(error) => return Some(error.to_string()),
    };
    for _ in 0..MAX_TOKENS {
        let mut logits = vec![0.0; model.info.vocab_size];
        grammar.mask().ok()?.apply(&mut logits);
        let (id, _) = (0..).zip(&logits).filter(|(_, logit)| logit.is_finite()).last()?;
        if grammar.accept(crate::tokenizer::TokenId(id)).is_err() || grammar.is_finished() {
            return None;
        }
    }
    None
}

#[track_caller]
fn check(model: &Model, schema: Value, expected: Option<&str>) {
    let name: String = schema.to_string().chars().take(60).collect();
    let message = run(model, AnswerForm::Json(schema));
    match (message, expected) {
        (Some(message), Some(expected)) => {
            assert!(message.contains(expected), "{name}: {message}");
            assert!(message.len() < 2000, "{name}: an error of {} bytes", message.len());
        }
        (None, None) => {}
        (message, _) => panic!("{name}: {message:?}"),
    }
}

fn names(number: usize, schema: impl Fn(usize) -> Value) -> Map<String, Value> {
    (0..number).map(|index| (index.to_string(), schema(index))).collect()
}

/// `$defs` of which each refers twice to the next, by `link`.
fn doubling(link: impl Fn(Value) -> Value) -> Value {
    let mut definitions = names(40, |index| link(json!({"$ref": format!("#/$defs/{}", index + 1)})));
    definitions.insert("40".to_owned(), json!({"const": 1}));
    Value::Object(definitions)
}

#[test]
fn hostile_schemas_end_in_a_grammar_or_an_error() {
    let model = model();
    let nested = |depth, inner| (0..depth).fold(inner, |inner, _| json!({"type": "array", "items": inner}));
    check(&model, nested(40, json!({"type": "null"})), None);
    check(&model, nested(500, json!({"type": "null"})), Some("nested deeper than 64"));
    let first = json!({"$ref": "#/$defs/0"});
    let any = doubling(|next| json!({"anyOf": [next, next]}));
    check(&model, json!({"$defs": any, "properties": {"x": first}, "required": ["x"]}), None);
    let lists = doubling(|next| json!({"type": "array", "prefixItems": [next, next], "minItems": 2}));
    check(&model, json!({"$defs": lists, "allOf": [first, first]}), Some("combine to more than"));
    check(
        &model,
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        None,
    );
    check(&model, json!({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}), None);
    check(&model, json!({"$ref": "http://127.0.0.1:9/schema"}), Some("does not fetch resources"));
    check(&model, json!({"$ref": "file:///etc/passwd"}), Some("does not fetch resources"));
    let chain = names(2500, |index| json!({"items": {"$ref": format!("#/$defs/{}", index + 1)}}));
    check(&model, json!({"$defs": chain, "$ref": "#/$defs/0"}), Some("'/$defs/2500' does not exist"));
    for huge in [1_000_000, 4_000_000_000_u64, u64::MAX] {
        check(
            &model,
            json!({"type": "array", "items": {"type": "null"}, "minItems": huge}),
            Some("than can be followed"),
        );
        check(&model, json!({"type": "array", "items": {"type": "null"}, "maxItems": huge}), None);
    }
    check(&model, json!({"type": "string", "maxLength": 1_000_000}), None);
    check(&model, json!({"type": "string", "minLength": 1_000_000}), None);
    check(&model, json!({"type": "string", "minLength": 3, "maxLength": 2}), Some("minLength (3) is greater"));
    check(&model, json!({"type": "integer", "multipleOf": 4_000_000_007_u64}), Some("at most 20000"));
    check(&model, json!({"type": "integer", "multipleOf": 19_997}), None);
    check(&model, json!({"type": "number", "minimum": 1e300, "maximum": 1.000_000_1e300}), Some("float range"));
    check(&model, json!({"type": "object", "minProperties": 100_000}), None);
    let many = names(5000, |_| json!({"type": "null"}));
    check(
        &model,
        json!({"type": "object", "properties": many, "additionalProperties": false}),
        Some("than can be followed"),
    );
    let all: Vec<String> = (0..6000).map(|index| index.to_string()).collect();
    check(&model, json!({"type": "object", "required": all}), None);
    check(&model, json!({"enum": all}), None);
    check(&model, json!({"type": "string", "enum": all}), None);
    check(&model, json!({"anyOf": vec![json!({"type": "object"}); 5000]}), Some("than can be followed"));
    let objects: Vec<Value> =
        (0..1000).map(|index| json!({"type": "object", "required": [index.to_string()]})).collect();
    check(&model, json!({"oneOf": objects}), None);
    check(&model, json!({"oneOf": objects, "properties": names(1000, |_| json!({}))}), Some("combine to more than"));
    let patterns = names(16, |index| json!({"minimum": index}));
    check(&model, json!({"type": "object", "patternProperties": patterns}), Some("not disjoint"));
    check(&model, json!({"const": "x".repeat(1 << 20)}), Some("has 1048588 bytes"));
    let verbatim = json!({"type": "string", "format": "verbatim"});
    check(
        &model,
        json!({"type": "object", "properties": names(2000, |_| verbatim.clone())}),
        Some("than can be followed"),
    );
    check(&model, json!({"type": "object", "properties": names(400, |_| verbatim.clone())}), None);
    let deep = (0..20).fold(verbatim, |inner, _| json!({"type": "object", "properties": {"a": inner, "b": {}}}));
    check(&model, deep, None);
    // Others are as they were.
    let grammar =
        model.grammars.compile(&Material::default(), &[], ToolChoice::None, Some(&json!({"const": 7}))).unwrap();
    assert!(takes(&model, grammar, "7"));
}

/// Keywords with values that may or may not make sense.
fn any_garbage(random: &mut StdRng, depth: usize) -> Value {
    let keywords = [
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "$ref",
        "properties",
        "patternProperties",
        "additionalProperties",
        "required",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minimum",
        "exclusiveMaximum",
        "multipleOf",
        "minProperties",
        "maxProperties",
        "$defs",
        "$id",
        "$anchor",
        "$schema",
        "x-guidance",
        "if",
    ];
    let texts = [
        "object",
        "string",
        "integer",
        "array",
        "date",
        "uuid",
        "#",
        "#/$defs/a",
        "#/properties/a",
        "a",
        "^(a|b)*$",
        "[",
        "€\u{0}",
        "http://json-schema.org/draft-07/schema#",
        "verbatim",
    ];
    match random.random_range(0..if depth == 0 { 6 } else { 10 }) {
        0 | 1 => json!(texts.choose(random).unwrap()),
        2 => json!(random.random_range(-3..20)),
        3 => [json!(u64::MAX), json!(-1e308), json!(0.1), json!(1e-300)].choose(random).unwrap().clone(),
        4 => json!(random.random_bool(0.5)),
        5 => Value::Null,
        6 => (0..random.random_range(0..4)).map(|_| any_garbage(random, depth - 1)).collect(),
        _ => {
            let names = (0..random.random_range(0..5)).map(|_| match random.random_bool(0.8) {
                true => *keywords.choose(random).unwrap(),
                false => ["a", "b", ""].choose(random).unwrap(),
            });
            let names: Vec<&str> = names.collect();
            names.into_iter().map(|name| (name.to_owned(), any_garbage(random, depth - 1))).collect()
        }
    }
}

#[test]
fn garbage_ends_in_a_grammar_or_an_error() {
    let (model, mut random) = (model(), StdRng::seed_from_u64(41));
    let mut num_refused = 0;
    for _ in 0..1000 {
        let schema = any_garbage(&mut random, 5);
        if let Some(message) = run(&model, AnswerForm::Json(schema.clone())) {
            assert!(
                message.starts_with("answer schema cannot be enforced") && message.len() < 2000,
                "{schema}: {message}"
            );
            num_refused += 1;
        }
    }
    assert!((300..900).contains(&num_refused), "{num_refused} of 1000");
}

#[test]
fn hostile_patterns_end_in_a_grammar_or_an_error() {
    let model = model();
    let mut words = String::from("a");
    (0..1000).for_each(|index| write!(words, "|b{index}c").unwrap());
    let brackets = format!("{}a{}", "(".repeat(2000), ")".repeat(2000));
    let classes = r"\p{L}\p{N}?[^\p{Lu}]".repeat(300);
    for pattern in [
        "(a|b)*a(a|b){200}",
        "(a*)*b",
        "((a{0,1000}){0,1000}){0,1000}",
        "(.*a){50}",
        "(a|aa|aaa|aaaa)*c",
        "a{4000000000}",
        "[^a]{1000,}x.{1000}y",
        "(?i)(ſ|k|\u{212a})*",
        &words,
        &brackets,
        &classes,
        "a{99999999999}",
        "(?=a)b",
        r"(a)\1",
        "a\\",
        "[",
        "a)(b",
        "\\",
        "/",
        "a//b\n\"",
        "x^y$z",
    ] {
        for answer in [AnswerForm::Regex(pattern.to_owned()), AnswerForm::Json(json!({"pattern": pattern}))] {
            if let Some(message) = run(&model, answer) {
                assert!(message.len() < 2000, "{pattern:.40}: an error of {} bytes", message.len());
            }
        }
    }
    let long = AnswerForm::Regex("x".repeat(9000));
    assert!(run(&model, long).unwrap().contains("has 9000 bytes, at most 8192"));
}

#[test]
fn what_is_no_regular_expression_is_refused_with_the_reason() {
    let model = model();
    for (pattern, expected) in [
        ("[", "unclosed character class"),
        ("a)(b", "unopened group"),
        ("(?=a)b", "look-around"),
        (r"(a)\1", "backreferences are not supported"),
        ("a\\", "it ends in a backslash"),
    ] {
        let answer = AnswerForm::Regex(pattern.to_owned());
        let error = model.grammars.compile(&Material::default(), &[], ToolChoice::None, answer).map(drop).unwrap_err();
        let GrammarError::Regex(reason) = &error else { panic!("{pattern}: {error}") };
        assert!(reason.contains(expected), "{pattern}: {error}");
    }
}
