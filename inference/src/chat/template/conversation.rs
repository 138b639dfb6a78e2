//! A conversation as chat templates expect it: messages and tools as Hugging Face and OpenAI spell them.

use std::collections::HashMap;

use minijinja::Value;
use serde_json::Value as Json;

use super::Cut;
use crate::chat::{Message, ToolCall, ToolDefinition, dumps};

/// Makes of a text from outside what the template gets to see.
type Outside<'a> = dyn FnMut(&str) -> String + 'a;

/// Words of JSON Schema that templates compare with, and no text from outside.
const SCHEMA_WORDS: [&str; 27] = [
    "$defs",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "array",
    "boolean",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "integer",
    "items",
    "maximum",
    "minimum",
    "name",
    "null",
    "number",
    "object",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "string",
    "title",
    "type",
];

pub(super) struct Conversation<'a> {
    turns: Vec<Turn<'a>>,
    tools: &'a [ToolDefinition],
}

enum Turn<'a> {
    Text { role: &'static str, content: String },
    Calls(&'a [ToolCall]),
    Result { call_id: &'a str, name: Option<&'a str>, content: String },
}

impl<'a> Conversation<'a> {
    /// System texts in a row are one, and so are user texts: many templates insist on turns. Of answers there is what `cut`
    /// leaves.
    pub(super) fn new(messages: &'a [Message], tools: &'a [ToolDefinition], cut: Cut) -> Self {
        let mut turns: Vec<Turn<'a>> = Vec::new();
        let mut names = HashMap::new();
        for message in messages {
            let (role, text) = match message {
                Message::System(text) => ("system", text.as_str()),
                Message::User(text) => ("user", text.as_str()),
                Message::Assistant(text) => ("assistant", cut(text)),
                Message::ToolCalls(calls) => {
                    names.extend(calls.iter().map(|call| (call.id.as_str(), call.name.as_str())));
                    turns.push(Turn::Calls(calls));
                    continue;
                }
                Message::ToolResult { call_id, content } => {
                    let name = names.get(call_id.as_str()).copied();
                    let content = content.as_str().map_or_else(|| dumps(content), str::to_owned);
                    turns.push(Turn::Result { call_id, name, content });
                    continue;
                }
            };
            match turns.last_mut() {
                Some(Turn::Text { role: last, content }) if *last == role && role != "assistant" => {
                    let between = if content.is_empty() || text.is_empty() { "" } else { "\n\n" };
                    content.extend([between, text]);
                }
                _ => turns.push(Turn::Text { role, content: text.to_owned() }),
            }
        }
        Conversation { turns, tools }
    }

    /// The variables that a template reads.
    pub(super) fn variables(&self, outside: &mut Outside<'_>) -> Vec<(&'static str, Value)> {
        let messages: Vec<Value> = self.turns.iter().map(|turn| turn.value(outside)).collect();
        let tools: Vec<Value> = self.tools.iter().map(|tool| tool_value(tool, outside)).collect();
        let tools = if tools.is_empty() { Value::from(()) } else { Value::from(tools) };
        vec![("messages", Value::from(messages)), ("tools", tools)]
    }
}

impl Turn<'_> {
    fn value(&self, outside: &mut Outside<'_>) -> Value {
        match self {
            Turn::Text { role, content } => {
                Value::from_pairs([("role", Value::from(*role)), ("content", outside(content).into())])
            }
            Turn::Calls(calls) => {
                let calls: Vec<Value> = calls.iter().map(|call| call_value(call, outside)).collect();
                Value::from_pairs([("role", Value::from("assistant")), ("tool_calls", Value::from(calls))])
            }
            Turn::Result { call_id, name, content } => {
                let name = name.map(|name| ("name", outside(name).into()));
                let rest = [("tool_call_id", outside(call_id).into()), ("content", outside(content).into())];
                Value::from_pairs([("role", Value::from("tool"))].into_iter().chain(name).chain(rest))
            }
        }
    }
}

fn call_value(call: &ToolCall, outside: &mut Outside<'_>) -> Value {
    let entries: Vec<(String, Value)> =
        call.arguments.iter().map(|(key, value)| (outside(key), json_value(value, outside))).collect();
    let function = [("name", outside(&call.name).into()), ("arguments", Value::from_pairs(entries))];
    Value::from_pairs([
        ("type", Value::from("function")),
        ("id", outside(&call.id).into()),
        ("function", Value::from_pairs(function)),
    ])
}

fn tool_value(tool: &ToolDefinition, outside: &mut Outside<'_>) -> Value {
    let mut unless_schema = |text: &str| if SCHEMA_WORDS.contains(&text) { text.to_owned() } else { outside(text) };
    let function = [
        ("name", unless_schema(&tool.name).into()),
        ("description", unless_schema(&tool.description).into()),
        ("parameters", json_value(&tool.parameters, &mut unless_schema)),
    ];
    Value::from_pairs([("type", Value::from("function")), ("function", Value::from_pairs(function))])
}

fn json_value(json: &Json, outside: &mut Outside<'_>) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => outside(text).into(),
        Json::Array(items) => items.iter().map(|item| json_value(item, outside)).collect(),
        Json::Object(entries) => {
            let entries: Vec<(String, Value)> =
                entries.iter().map(|(key, item)| (outside(key), json_value(item, outside))).collect();
            Value::from_pairs(entries)
        }
    }
}
