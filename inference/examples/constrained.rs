//! Generates answers by schema and tool calls, hot and with random seeds, and checks each: it parses and keeps to its
//! schema, unless it was cut short. `constrained [number] [seed]`; prints a table and one line of JSON.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use inference::{
    AnswerForm, CacheSalt, ChatModel, ChatRequest, EngineConfig, EngineMetrics, Message, Model, ReplyContent,
    ReplyError, SamplingOptions, SamplingParams, ToolChoice, ToolDefinition,
};
use jsonschema::Validator;
use prometheus::Registry;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use types::TaskClass;

const AT_ONCE: usize = 32;
const MAX_NEW_TOKENS: usize = 400;
const MAX_CALLS: usize = 3;

/// What a generation is held to.
struct Case {
    name: &'static str,
    schema: Value,
    validator: Validator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Valid,
    Invalid,
    Cut,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let number = arguments.next().transpose()?.unwrap_or(10_000);
    let seed = arguments.next().transpose()?.unwrap_or(1);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/pocket/pocket.gguf");
    let metrics = EngineMetrics::register(&Registry::new())?;
    let model = ChatModel::start(Model::load(path)?, EngineConfig::default(), metrics)?;
    let cases: Arc<[Case]> = cases()?.into();

    let (mut random, began) = (StdRng::seed_from_u64(seed), Instant::now());
    let asked = (0..number).map(|_| {
        let (case, calls, seed) = (random.random_range(0..cases.len()), random.random_bool(0.5), random.random());
        let (model, cases) = (model.clone(), cases.clone());
        async move {
            let case = &cases[case];
            let name = if calls { format!("calls of {}", case.name) } else { case.name.to_owned() };
            (name, outcome(&model, case, calls, seed).await)
        }
    });
    let mut outcomes = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut counts: BTreeMap<String, BTreeMap<Outcome, u64>> = BTreeMap::new();
    while let Some((name, outcome)) = outcomes.next().await {
        *counts.entry(name).or_default().entry(outcome?).or_default() += 1;
    }
    report(&counts, began.elapsed().as_secs_f64());
    Ok(())
}

fn cases() -> Result<Vec<Case>, Box<dyn Error>> {
    let schemas = [
        (
            "flat",
            json!({"type": "object", "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "kind": {"enum": ["person", "company", null]},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "open": {"type": "boolean"},
        }, "required": ["name", "age", "kind", "share", "open"], "additionalProperties": false}),
        ),
        (
            "optional",
            json!({"type": "object", "properties": {
            "a": {"type": "string", "maxLength": 8},
            "b": {"type": ["integer", "null"], "minimum": -5, "maximum": 5},
            "c \"quoted\"": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"},
            "d": {"const": {"fixed": [1, "two"]}},
        }, "required": ["c \"quoted\""], "additionalProperties": false}),
        ),
        (
            "lists",
            json!({"type": "object", "properties": {
            "rows": {"type": "array", "minItems": 1, "maxItems": 4, "items": {
                "type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 999}, "maxItems": 3,
            }},
            "pair": {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "string", "maxLength": 5}],
                "items": false, "minItems": 2},
        }, "required": ["rows", "pair"], "additionalProperties": false}),
        ),
        (
            "union",
            json!({"type": "object", "properties": {"shape": {"anyOf": [
            {"type": "object", "properties": {"kind": {"const": "circle"}, "radius": {"type": "number", "multipleOf": 0.5, "maximum": 99, "minimum": 0}},
                "required": ["kind", "radius"], "additionalProperties": false},
            {"type": "object", "properties": {"kind": {"const": "square"}, "side": {"type": "integer", "minimum": 1, "maximum": 99}},
                "required": ["kind", "side"], "additionalProperties": false},
            {"type": "null"},
        ]}}, "required": ["shape"], "additionalProperties": false}),
        ),
        (
            "chain",
            json!({
                "$defs": {"node": {"type": "object", "properties": {
                    "value": {"type": "integer", "minimum": 0, "maximum": 99},
                    "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
                }, "required": ["value", "next"], "additionalProperties": false}},
                "type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "required": ["root"],
                "additionalProperties": false,
            }),
        ),
        (
            "map",
            json!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 9},
            "maxProperties": 3}),
        ),
        (
            "text",
            json!({"type": "object", "properties": {
            "date": {"type": "string", "format": "date"},
            "note": {"type": "string", "maxLength": 60},
        }, "required": ["date", "note"], "additionalProperties": false}),
        ),
        ("any object", json!({"type": "object"})),
    ];
    let case = |(name, schema): (_, Value)| {
        let validator = jsonschema::validator_for(&schema)?;
        Ok(Case { name, schema, validator })
    };
    schemas.into_iter().map(case).collect()
}

async fn outcome(model: &ChatModel, case: &Case, calls: bool, seed: u64) -> Result<Outcome, Box<dyn Error>> {
    let tool = |name: &str, parameters: &Value| ToolDefinition {
        name: name.to_owned(),
        description: "Takes data.".to_owned(),
        parameters: parameters.clone(),
    };
    let tools = if calls { vec![tool("take", &case.schema), tool("keep", &case.schema)] } else { Vec::new() };
    let options = SamplingOptions { seed, max_new_tokens: MAX_NEW_TOKENS, ..SamplingOptions::default() };
    let request = ChatRequest {
        messages: vec![Message::User("Make up some data.".to_owned())],
        callable: tools.clone(),
        tools,
        tool_choice: if calls { ToolChoice::Required } else { ToolChoice::None },
        max_calls: MAX_CALLS,
        answer: AnswerForm::Json(case.schema.clone()),
        material: Arc::default(),
        params: SamplingParams::try_from(options)?,
        stop: Vec::new(),
        class: TaskClass::Normal,
        cache_salt: CacheSalt::default(),
        deadline: None,
    };
    let reply = match model.reply(request).await {
        Ok(reply) => reply,
        Err(ReplyError::LengthLimit { .. }) => return Ok(Outcome::Cut),
        Err(error) => {
            eprintln!("{}, seed {seed}: {error}", case.name);
            return Ok(Outcome::Invalid);
        }
    };
    let is_valid = match &reply.content {
        ReplyContent::Answer(text) if !calls => {
            serde_json::from_str(text).is_ok_and(|value| case.validator.is_valid(&value))
        }
        ReplyContent::ToolCalls(written) if calls => {
            (1..=MAX_CALLS).contains(&written.len())
                && written.iter().all(|call| {
                    let is_known = ["take", "keep"].contains(&call.name.as_str());
                    is_known && case.validator.is_valid(&Value::Object(call.arguments.clone()))
                })
        }
        ReplyContent::Answer(_) | ReplyContent::ToolCalls(_) => false,
    };
    if !is_valid {
        eprintln!("{}, seed {seed}: {:?}", case.name, reply.content);
    }
    Ok(if is_valid { Outcome::Valid } else { Outcome::Invalid })
}

fn report(counts: &BTreeMap<String, BTreeMap<Outcome, u64>>, seconds: f64) {
    let of = |counts: &BTreeMap<Outcome, u64>, outcome| counts.get(&outcome).copied().unwrap_or(0);
    println!("{:<24} {:>8} {:>8} {:>8}", "", "valid", "invalid", "cut");
    for (name, counts) in counts {
        let [valid, invalid, cut] = [Outcome::Valid, Outcome::Invalid, Outcome::Cut].map(|outcome| of(counts, outcome));
        println!("{name:<24} {valid:>8} {invalid:>8} {cut:>8}");
    }
    let total = |outcome| counts.values().map(|counts| of(counts, outcome)).sum::<u64>();
    let [valid, invalid, cut] = [Outcome::Valid, Outcome::Invalid, Outcome::Cut].map(total);
    let per_second = (valid + invalid + cut) as f64 / seconds;
    println!("{:<24} {valid:>8} {invalid:>8} {cut:>8}   {per_second:.1} generations/s", "all");
    let line = json!({
        "valid": valid, "invalid": invalid, "cut": cut, "seconds": seconds, "generations_per_second": per_second,
    });
    println!("{line}");
}
