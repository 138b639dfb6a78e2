//! What must hold between the keys of an agent's file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shape::properties;
use super::{DataLabel, Guardrails, OutputSpec, Reach, ToolSpec};
use crate::nearest::nearest;
use crate::shape::Fields;
use crate::source::Span;

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
    let Some((_, reader)) = tools.iter().find(|(_, tool)| tool.data == DataLabel::Internal) else { return };
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
        let hint = "an agent has internal data or external reach, never both; split it into two agents";
        fields.error_at(place(fields, index, "reach"), message, hint);
    }
}

/// The place of a key of a tool, or of the tool when it has no such key.
fn place(fields: &Fields<'_, '_>, index: usize, key: &str) -> Option<Span> {
    let tool = fields.node("tools").map(|tools| tools.at_pointer(&format!("/{index}")))?;
    Some(tool.get(key).map_or(tool.span, |entry| entry.value.span))
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
    if fields.has("parameters") && tool.parameters.get("type") != Some(&Value::from("object")) {
        let hint = "arguments are named: begin with \"type: object\" and list them below \"properties:\"";
        fields.error("parameters", |path| format!("{path}.parameters is not the schema of an object"), hint);
    }
    let Some(given) = properties(&tool.parameters) else { return };
    for name in tool.fixed_arguments.keys().filter(|name| given.contains_key(*name)) {
        let message = |path: &str| format!("{path}.fixed_arguments sets {name:?}, which the model sets by parameters");
        fields.error("fixed_arguments", message, "keep the argument in one of the two");
    }
}

pub(super) fn check_output(output: &OutputSpec, fields: &mut Fields<'_, '_>) {
    if output.derived.is_empty() {
        return;
    }
    let Some(schema) = &output.schema else {
        // A schema that is there and wrong has been reported.
        if !fields.has("schema") {
            let hint = "add \"schema:\" beside it; conditions refer to its fields";
            fields.error("derived", |path| format!("{path}.derived needs output.schema"), hint);
        }
        return;
    };
    let Some(known) = properties(schema).filter(|_| schema.get("type") == Some(&Value::from("object"))) else {
        let hint = "begin the schema with \"type: object\" and \"properties:\"";
        fields.error("schema", |path| format!("{path}.derived needs a schema of an object with properties"), hint);
        return;
    };
    for derived in &output.derived {
        let place = fields.node("derived").and_then(|node| node.get(&derived.name));
        if known.contains_key(&derived.name) {
            let message = format!("the derived field {:?} is also a field of the schema", derived.name);
            fields.error_at(place.map(|entry| entry.key_span), message, "rename one of the two");
        }
        for (index, condition) in derived.any.iter().enumerate() {
            let at = |fields: &Fields<'_, '_>, pointer: String| {
                let node = fields.node("derived")?.get(&derived.name)?;
                Some(node.value.at_pointer(&format!("/any/{index}{pointer}")).span)
            };
            let Some(field) = known.get(&condition.field) else {
                let hint = match nearest(&condition.field, known.keys().map(String::as_str)) {
                    Some(name) => format!("did you mean {name}?"),
                    None => {
                        format!("its fields are {}", known.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
                    }
                };
                let message = format!("output.schema has no field {:?}", condition.field);
                fields.error_at(at(fields, "/field".to_owned()), message, hint);
                continue;
            };
            for (position, value) in condition.r#in.iter().enumerate() {
                // A field's schema that refers to others cannot be asked alone.
                let possible = jsonschema::validator_for(field).map_or(true, |field| field.is_valid(value));
                if !possible {
                    let message = format!("{value} can never be the value of {:?}", condition.field);
                    let hint = match (value.as_str(), field.get("enum").and_then(Value::as_array)) {
                        (Some(value), Some(values)) => nearest(value, values.iter().filter_map(Value::as_str)),
                        _ => None,
                    };
                    let hint = hint.map(|value| format!("did you mean {value}?")).unwrap_or_default();
                    fields.error_at(at(fields, format!("/in/{position}")), message, hint);
                }
            }
        }
    }
}
