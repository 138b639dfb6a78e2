//! The published schemas: up to date, and of one mind with the reader.

use std::fs;
use std::path::{Path, PathBuf};

use config::{AgentSpec, BUNDLED_AGENTS, Environment, TalonConfig, agent_schema, talon_schema};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

fn published(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name)
}

/// Compares with the published file; `TALON_UPDATE_SCHEMAS=1` writes it instead.
fn check(name: &str, schema: &Value) {
    let text = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    if std::env::var_os("TALON_UPDATE_SCHEMAS").is_some() {
        fs::write(published(name), &text).unwrap();
    }
    let published = fs::read_to_string(published(name)).unwrap_or_default();
    assert!(published == text, "config/schema/{name} is out of date; run with TALON_UPDATE_SCHEMAS=1");
}

fn to_json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), to_json(value))).collect())
        }
        _ => Value::Null,
    }
}

fn parse(text: &str) -> Value {
    to_json(&Yaml::load_from_str(text).unwrap()[0])
}

#[test]
fn the_published_agent_schema_is_the_readers() {
    check("agent.schema.json", &agent_schema());
}

#[test]
fn the_published_talon_schema_is_the_readers() {
    check("talon.schema.json", &talon_schema());
}

#[test]
fn the_shipped_files_fit_their_schemas() {
    let agents = jsonschema::validator_for(&agent_schema()).unwrap();
    for file in BUNDLED_AGENTS {
        agents.validate(&parse(file.text)).unwrap_or_else(|error| panic!("{}: {error}", file.name));
    }
    let talon = jsonschema::validator_for(&talon_schema()).unwrap();
    talon.validate(&parse(include_str!("../../talon.yml"))).unwrap();
}

#[test]
fn the_schema_and_the_reader_refuse_the_same_files() {
    let validator = jsonschema::validator_for(&agent_schema()).unwrap();
    let good = BUNDLED_AGENTS[0].text;
    for (from, to) in [
        ("timeout_seconds: 120", "timeout_seconds: 0"),
        ("max_context_tokens: 6144", "max_context_tokens: many"),
        ("name: code-review-triage", "name: Code Review"),
        ("effect: read", "effect: reads"),
        ("endpoint: http", "endpoint: ftp"),
        ("jitter: 0.5", "jitter: 1.5"),
        ("  owner:", "  ownr:"),
        ("max_steps: 12", "max_steps: 1.5"),
        ("any:", "all:"),
        ("type: object", "type: objekt"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(!validator.is_valid(&parse(&bad)), "schema: {to}");
        assert!(AgentSpec::parse("a.yml", &bad).diagnostics.is_error(), "reader: {to}");
    }
}

/// Every key of the schema stands in the shipped file, set or in a comment, so that nothing has to be looked up.
#[test]
fn the_shipped_talon_file_names_every_key() {
    fn keys(schema: &Value, into: &mut Vec<String>) {
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            into.push(key.clone());
            keys(schema, into);
        }
        for inner in ["items", "additionalProperties"] {
            schema.get(inner).into_iter().for_each(|schema| keys(schema, into));
        }
    }
    let mut known = Vec::new();
    keys(&talon_schema(), &mut known);
    assert!(20 < known.len());
    for key in known {
        assert!(include_str!("../../talon.yml").contains(&format!("{key}:")), "{key}");
    }
}

#[test]
fn the_schemas_show_the_readers_defaults() {
    let schema = talon_schema();
    let default = |pointer: &str| schema.pointer(pointer).unwrap()["default"].clone();
    let config = TalonConfig::defaults(&Environment::default());
    assert_eq!(default("/properties/server/properties/listen"), config.server.listen.to_string());
    assert_eq!(default("/properties/server/properties/max_document_bytes"), "20 MiB");
    assert_eq!(default("/properties/openclaw_core/properties/agents/properties/warm_agents"), 5);
    assert_eq!(default("/properties/log/properties/level"), "info");
}
