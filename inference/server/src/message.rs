//! The conversation as it comes in.

use inference::{Message, ToolCall};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::schema::FunctionKind;

#[derive(Deserialize)]
#[serde(tag = "role", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum WireMessage {
    System {
        content: String,
    },
    User {
        content: String,
    },
    Assistant {
        #[serde(default)]
        content: Option<String>,
        /// We send it as null, and clients send it back.
        #[serde(default, rename = "refusal")]
        _refusal: Option<()>,
        #[serde(default)]
        tool_calls: Vec<WireCall>,
    },
    Tool {
        tool_call_id: String,
        content: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireCall {
    id: String,
    #[serde(rename = "type")]
    _kind: FunctionKind,
    function: WireFunction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFunction {
    name: String,
    /// JSON in a text.
    arguments: String,
}

/// The conversation, if it is one that a model can go on with.
pub(crate) fn conversation(messages: Vec<WireMessage>) -> Result<Vec<Message>, Refusal> {
    let refuse = |param: String, message: &str| Refusal::invalid(param, "invalid_value", message);
    match messages.last() {
        None => return Err(refuse("messages".to_owned(), "messages is empty; send at least one of role user")),
        Some(WireMessage::User { .. } | WireMessage::Tool { .. }) => {}
        Some(WireMessage::System { .. } | WireMessage::Assistant { .. }) => {
            let param = format!("messages[{}].role", messages.len() - 1);
            return Err(refuse(param, "the last message must be of role user or tool"));
        }
    }
    let mut calls = Vec::new();
    messages.into_iter().enumerate().map(|(index, message)| accept(index, message, &mut calls)).collect()
}

/// `calls` holds the ids of the calls made so far.
fn accept(index: usize, message: WireMessage, calls: &mut Vec<String>) -> Result<Message, Refusal> {
    let at = |field: &str| format!("messages[{index}].{field}");
    let refuse = |field: &str, message: String| Err(Refusal::invalid(at(field), "invalid_value", message));
    match message {
        WireMessage::System { .. } if index > 0 => {
            refuse("role", "a message of role system stands at the start or nowhere".to_owned())
        }
        WireMessage::System { content } => Ok(Message::System(content)),
        WireMessage::User { content } => Ok(Message::User(content)),
        WireMessage::Assistant { content, tool_calls, .. } => {
            match (content.filter(|text| !text.is_empty()), tool_calls) {
                (Some(text), none) if none.is_empty() => Ok(Message::Assistant(text)),
                (None, some) if !some.is_empty() => {
                    calls.extend(some.iter().map(|call| call.id.clone()));
                    some.into_iter()
                        .map(|call| accept_call(call, &at("tool_calls")))
                        .collect::<Result<_, _>>()
                        .map(Message::ToolCalls)
                }
                (Some(_), _) => {
                    refuse("content", "a message has content or tool_calls, not both; leave one out".to_owned())
                }
                (None, _) => refuse("content", "a message of role assistant needs content or tool_calls".to_owned()),
            }
        }
        WireMessage::Tool { tool_call_id, .. } if !calls.contains(&tool_call_id) => {
            refuse("tool_call_id", format!("no earlier message has a tool call with id {tool_call_id:?}"))
        }
        WireMessage::Tool { tool_call_id, content } => {
            // A result that is JSON is shown to the model as such.
            let content = serde_json::from_str(&content).unwrap_or(Value::String(content));
            Ok(Message::ToolResult { call_id: tool_call_id, content })
        }
    }
}

fn accept_call(call: WireCall, at: &str) -> Result<ToolCall, Refusal> {
    let WireFunction { name, arguments } = call.function;
    let arguments: Map<String, Value> = serde_json::from_str(&arguments).map_err(|error| {
        Refusal::invalid(
            at,
            "invalid_value",
            format!("the arguments of call {:?} are no JSON object: {error}", call.id),
        )
    })?;
    Ok(ToolCall { id: call.id, name, arguments })
}
