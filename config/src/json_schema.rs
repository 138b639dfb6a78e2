//! JSON Schemas inside our files: every mistake is reported at its own line, slips of the hand included, which JSON
//! Schema itself would silently ignore.

mod verbatim;

use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

use crate::nearest::nearest;
use crate::shape::{Shape, wrong_type};
use crate::source::Report;
use crate::yaml::{Data, Node};

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// Keywords whose value is a schema.
const ONE: &[&str] = &[
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const MANY: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value maps names to schemas.
const BY_NAME: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];
/// The other keywords.
const PLAIN: &[&str] = &[
    "$anchor",
    "$comment",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$ref",
    "$schema",
    "const",
    "contentEncoding",
    "contentMediaType",
    "default",
    "dependentRequired",
    "deprecated",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
    "writeOnly",
];

/// A JSON Schema.
pub(crate) struct JsonSchema;

impl Shape for JsonSchema {
    type Out = Value;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Value> {
        let schema = node.to_json();
        if !matches!(node.data, Data::Map(_)) {
            wrong_type(node, "a JSON Schema", "begin with \"type: object\" and \"properties:\"", report);
            return None;
        }
        lint(node, report);
        verbatim::check(node, report);
        let sound = check(&schema, node, report);
        sound.then_some(schema)
    }

    fn schema(&self) -> Value {
        json!({"$ref": "https://json-schema.org/draft/2020-12/schema"})
    }
}

/// Whether a schema is one, and all that it refers to exists.
fn check(schema: &Value, node: &Node, report: &mut Report<'_>) -> bool {
    let meta = match jsonschema::meta::validator_for(schema) {
        Ok(meta) => meta,
        Err(error) => {
            report.error(node.span, format!("{}: not a usable JSON Schema: {error}", report.path()), "");
            return false;
        }
    };
    let mut sound = true;
    for error in meta.iter_errors(schema) {
        sound = false;
        let pointer = error.instance_path().as_str();
        let place = node.at_pointer(pointer);
        if pointer.ends_with("/type") {
            refuse_type(place, report);
        } else {
            report.error(place.span, format!("{}: not valid in a JSON Schema: {error}", report.path()), "");
        }
    }
    if sound && let Err(error) = jsonschema::validator_for(schema) {
        sound = false;
        let place = node.at_pointer(error.instance_path().as_str());
        let problem = match error.kind() {
            ValidationErrorKind::Format { format } if format == "regex" => {
                format!("{} is not a regular expression", place.found())
            }
            _ => format!("not a usable JSON Schema: {error}"),
        };
        report.error(place.span, format!("{}: {problem}", report.path()), "");
    }
    sound
}

/// Says which of the types is none.
fn refuse_type(node: &Node, report: &mut Report<'_>) {
    let wrong = |node: &&Node| !matches!(&node.data, Data::Text(name) if TYPES.contains(&name.as_str()));
    let node = match &node.data {
        Data::List(items) => items.iter().find(wrong).unwrap_or(node),
        _ => node,
    };
    let hint = match &node.data {
        Data::Text(given) => nearest(given, TYPES).map(|word| format!("did you mean {word}?")),
        Data::Null => Some("write \"null\" in quotes".to_owned()),
        _ => None,
    };
    let found = if matches!(node.data, Data::Null) { "null without quotes".to_owned() } else { node.found() };
    let (path, types) = (report.path(), TYPES.join(", "));
    let message = format!("{path}: {found} is not a JSON type; the types are {types}");
    report.error(node.span, message, hint.unwrap_or_default());
}

/// What is valid and yet surely not meant.
fn lint(node: &Node, report: &mut Report<'_>) {
    let Data::Map(entries) = &node.data else { return };
    let keywords = || [ONE, MANY, BY_NAME, PLAIN].into_iter().flatten().copied();
    for entry in entries {
        let key = entry.key.as_str();
        match (&entry.value.data, key) {
            (Data::Map(_), key) if ONE.contains(&key) => lint(&entry.value, report),
            (Data::List(items), key) if MANY.contains(&key) => items.iter().for_each(|item| lint(item, report)),
            (Data::Map(named), key) if BY_NAME.contains(&key) => {
                named.iter().for_each(|entry| lint(&entry.value, report));
            }
            _ if keywords().any(|keyword| keyword == key) => {}
            _ => {
                let hint = nearest(key, keywords()).map(|keyword| format!("did you mean {keyword}?"));
                let message = format!("{}: {key:?} is not a keyword of JSON Schema; it has no effect", report.path());
                report.warning(entry.key_span, message, hint.unwrap_or_default());
            }
        }
    }
    lint_required(node, report);
}

/// A required property that is not among the properties: nobody can know how to fill it.
fn lint_required(node: &Node, report: &mut Report<'_>) {
    let (Some(required), Some(properties)) = (node.get("required"), node.get("properties")) else { return };
    let (Data::List(required), Data::Map(properties)) = (&required.value.data, &properties.value.data) else { return };
    for item in required {
        let Data::Text(name) = &item.data else { continue };
        if properties.iter().all(|property| property.key != *name) {
            let known = properties.iter().map(|property| property.key.as_str());
            let hint = nearest(name, known).map(|name| format!("did you mean {name}?"));
            let message = format!("{}: {name:?} is required but not among the properties", report.path());
            report.warning(item.span, message, hint.unwrap_or_default());
        }
    }
}
