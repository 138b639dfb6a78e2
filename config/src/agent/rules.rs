//! What must hold between the keys of an agent's file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Condition, DataLabel, Guardrails, Reach, ToolSpec};
use crate::nearest::nearest;
use crate::shape::Fields;
use crate::source::Span;
use crate::yaml::Node;

/// Tools that could be read, with their places in the file's list.
type Listed<'a> = [(usize, &'a ToolSpec)];

pub(super) fn check_tools(tools: &Listed<'_>, guardrails: &Guardrails, fields: &mut Fields<'_, '_>) {
    check_names(tools, fields);
    if !guardrails.allow_external_network {
        refuse_external(tools, fields);
    }
    check_golden_rule(tools, fields);
}

fn check_names(tools: &Listed<'_>, fields: &mut Fields<'_, '_>) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for &(index, tool) in tools {
        match first.get(tool.name.as_str()) {
            Some(before) => {
                let message = format!("tools[{index}] has the same name as tools[{before}], {:?}", tool.name);
                fields.error_at(place(fields, index, "name"), message, "give every tool of an agent a name of its own");
            }
            None => {
                first.insert(&tool.name, index);
            }
        }
    }
}

fn refuse_external(tools: &Listed<'_>, fields: &mut Fields<'_, '_>) {
    for &(index, tool) in tools.iter().filter(|(_, tool)| tool.reach == Reach::External) {
        let message =
            format!("the tool {:?} has reach external, but guardrails.allow_external_network is false", tool.name);
        let hint = "set guardrails.allow_external_network to true if the agent may send what it knows outside";
        fields.error_at(place(fields, index, "reach"), message, hint);
    }
}

/// D1: internal data or external communication, never both in one agent.
fn check_golden_rule(tools: &Listed<'_>, fields: &mut Fields<'_, '_>) {
    let Some(&(reader_index, reader)) = tools.iter().find(|(_, tool)| tool.data == DataLabel::Internal) else { return };
    for &(index, tool) in tools.iter().filter(|(_, tool)| tool.reach == Reach::External) {
        let message = match tool.data {
            DataLabel::Internal => {
                format!("golden rule: the tool {:?} returns internal data and reaches outside", tool.name)
            }
            DataLabel::Public => format!(
                "golden rule: the tool {:?} reaches outside while the tool {:?} returns internal data",
                tool.name, reader.name
            ),
        };
        let hint = match labelled(fields, reader_index) {
            true => "an agent has internal data or external reach, never both; split it into two agents".to_owned(),
            false => format!(
                "results of {:?} are taken as internal since it has no \"data:\"; write \"data: public\" if anyone may \
                 know them, else split the agent into two",
                reader.name
            ),
        };
        fields.error_at(place(fields, index, "reach"), message, hint);
    }
}

fn node<'f>(fields: &'f Fields<'_, '_>, index: usize) -> Option<&'f Node> {
    fields.node("tools").map(|tools| tools.at_pointer(&format!("/{index}")))
}

fn labelled(fields: &Fields<'_, '_>, index: usize) -> bool {
    node(fields, index).is_some_and(|tool| tool.get("data").is_some())
}

/// The place of a key of a tool, or of its name when it has no such key.
fn place(fields: &Fields<'_, '_>, index: usize, key: &str) -> Option<Span> {
    let tool = node(fields, index)?;
    Some(tool.get(key).or_else(|| tool.get("name")).map_or(tool.span, |entry| entry.value.span))
}

pub(super) fn check_context(max_context_tokens: usize, guardrails: &Guardrails, fields: &mut Fields<'_, '_>) {
    let output = guardrails.max_output_tokens;
    if max_context_tokens <= output {
        let message = |path: &str| {
            format!(
                "{path}.guardrails.max_output_tokens ({output}) leaves no room in {max_context_tokens} tokens of context"
            )
        };
        let key = if fields.has("max_context_tokens") { "max_context_tokens" } else { "guardrails" };
        fields.error(key, message, "raise max_context_tokens or lower guardrails.max_output_tokens");
    }
}

pub(super) fn check_tool(tool: &ToolSpec, fields: &mut Fields<'_, '_>) {
    if fields.has("parameters") && !is_object(&tool.parameters) {
        let hint = "arguments are named: begin with \"type: object\" and list them below \"properties:\"";
        fields.error("parameters", |path| format!("{path}.parameters is not the schema of an object"), hint);
    }
    let Some(given) = properties(&tool.parameters) else { return };
    for name in tool.fixed_arguments.keys().filter(|name| given.contains_key(*name)) {
        let message = |path: &str| format!("{path}.fixed_arguments sets {name:?}, which the model sets by parameters");
        fields.error("fixed_arguments", message, "keep the argument in one of the two");
    }
}

pub(super) fn check_extractive(fields: &mut Fields<'_, '_>) {
    if fields.has("schema") {
        let message = |path: &str| format!("{path}.extractive is for an answer of text, but there is a schema");
        fields.error("extractive", message, "leave out one of the two");
    }
}

/// A derived field must be able to hold: its conditions ask for values that the schema allows.
pub(super) fn check_derived(
    name: &str,
    any: &[Option<Condition>],
    schema: Option<&Value>,
    fields: &mut Fields<'_, '_>,
) {
    let Some(schema) = schema else {
        // A schema that is there and wrong has been reported.
        if !fields.has("schema") {
            let hint = "add \"schema:\" beside it; conditions refer to its fields";
            fields.error("derived", |path| format!("{path}.derived needs output.schema"), hint);
        }
        return;
    };
    let Some(known) = properties(schema).filter(|_| is_object(schema)) else {
        let hint = "begin the schema with \"type: object\" and \"properties:\"";
        fields.error("schema", |path| format!("{path}.derived needs a schema of an object with properties"), hint);
        return;
    };
    let place = |fields: &Fields<'_, '_>, pointer: &str| {
        fields.node("derived")?.get(name).map(|entry| entry.value.at_pointer(pointer).span)
    };
    if known.contains_key(name) {
        let span = fields.node("derived").and_then(|node| node.get(name)).map(|entry| entry.key_span);
        fields.error_at(
            span,
            format!("the derived field {name:?} is also a field of the schema"),
            "rename one of them",
        );
    }
    if any.iter().flatten().all(|condition| condition.r#in.is_empty()) && any.iter().all(Option::is_some) {
        fields.error_at(place(fields, "/any"), format!("the derived field {name:?} can never be true"), "");
    }
    for (index, condition) in any.iter().enumerate() {
        let Some(condition) = condition else { continue };
        let Some(field) = known.get(&condition.field) else {
            let hint = match nearest(&condition.field, known.keys().map(String::as_str)) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("its fields are {}", known.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
            };
            let message = format!("output.schema has no field {:?}", condition.field);
            fields.error_at(place(fields, &format!("/any/{index}/field")), message, hint);
            continue;
        };
        for (position, value) in condition.r#in.iter().enumerate() {
            // A field's schema that refers to others cannot be asked alone.
            let possible = jsonschema::validator_for(field).map_or(true, |field| field.is_valid(value));
            if !possible {
                let message = format!("{value} can never be the value of {:?}", condition.field);
                let span = place(fields, &format!("/any/{index}/in/{position}"));
                fields.error_at(span, message, meant(value, field).unwrap_or_default());
            }
        }
    }
}

/// The value of an enumeration that was probably meant.
fn meant(value: &Value, field: &Value) -> Option<String> {
    let words = field.get("enum")?.as_array()?.iter().filter_map(Value::as_str);
    nearest(value.as_str()?, words).map(|word| format!("did you mean {word}?"))
}

/// The properties of an object schema.
fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

fn is_object(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
}
