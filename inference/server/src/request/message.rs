//! The conversation as it comes in, and whether a model can go on with it.

use inference::{Message, ToolCall};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::call_id;
use super::content::Content;
use super::tools::FunctionKind;
use crate::json;
use crate::refusal::Refusal;

/// One turn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChatMessage)]
pub(crate) struct WireMessage {
    role: Role,
    /// Needed but for calls, which have none.
    content: Option<Content>,
    /// Of role assistant only: what the model asked for instead of answering.
    tool_calls: Option<Vec<WireCall>>,
    /// Of role tool only: the call that this is the result of.
    tool_call_id: Option<String>,
    /// Of role tool only, and not used: the call says it already.
    name: Option<String>,
    /// Not used: what OpenAI's Python package makes of the content, and sends back with it.
    #[serde(default, rename = "parsed")]
    _parsed: Option<Value>,
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ChatRole)]
enum Role {
    System,
    /// As `system`.
    Developer,
    User,
    Assistant,
    Tool,
}

/// A call as this server gave it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChatCall)]
struct WireCall {
    id: String,
    #[serde(rename = "type")]
    _kind: FunctionKind,
    function: WireFunction,
}

/// A function and its arguments.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChatFunction)]
struct WireFunction {
    name: String,
    /// A JSON object in a text.
    arguments: String,
    /// Not used: what OpenAI's Python package makes of the arguments, and sends back with them.
    #[serde(default, rename = "parsed_arguments")]
    _parsed_arguments: Option<Value>,
}

/// The conversation, if it is one that a model can go on with: instructions first, then the user, results after the calls
/// they belong to, and the model's turn next.
pub(crate) fn conversation(messages: Vec<WireMessage>) -> Result<Vec<Message>, Refusal> {
    if messages.is_empty() {
        let message = "messages is empty; send at least one of role user";
        return Err(Refusal::invalid("messages", "invalid_value", message));
    }
    let last = messages.len() - 1;
    let mut order = Order::default();
    let mut accepted = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        let place = Place(index);
        order.take(&message, place)?;
        accepted.push(message.accept(place)?);
    }
    order.check_end(Place(last))?;
    Ok(accepted)
}

/// The index of a message.
#[derive(Clone, Copy)]
struct Place(usize);

impl Place {
    fn of(self, field: &str) -> String {
        format!("messages[{}].{field}", self.0)
    }

    fn refuse<T>(self, field: &str, message: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::invalid(self.of(field), "invalid_value", message))
    }
}

/// Who spoke last, and the ids of calls that wait for their result.
#[derive(Default)]
struct Order {
    last: Option<Role>,
    open: Vec<String>,
}

impl Order {
    fn take(&mut self, message: &WireMessage, place: Place) -> Result<(), Refusal> {
        let is_beginning = matches!(self.last, None | Some(Role::System | Role::Developer));
        match message.role {
            Role::System | Role::Developer if !is_beginning => {
                return place.refuse("role", "messages of role system and developer stand at the start or nowhere");
            }
            Role::Assistant | Role::Tool if is_beginning => {
                return place.refuse("role", "a conversation begins with role user, after system and developer");
            }
            Role::Tool => {
                let id = message.tool_call_id.as_deref().unwrap_or_default();
                let Some(at) = self.open.iter().position(|open| open == id) else {
                    return place
                        .refuse("tool_call_id", format!("no call {id:?} waits for a result before this message"));
                };
                self.open.remove(at);
            }
            Role::System | Role::Developer | Role::User | Role::Assistant => self.check_answered(place)?,
        }
        self.open.extend(message.tool_calls.iter().flatten().map(|call| call.id.clone()));
        self.last = Some(message.role);
        Ok(())
    }

    fn check_answered(&self, place: Place) -> Result<(), Refusal> {
        match self.open.first() {
            None => Ok(()),
            Some(id) => place.refuse("role", format!("call {id:?} has no result yet; send it first, in role tool")),
        }
    }

    fn check_end(&self, last: Place) -> Result<(), Refusal> {
        self.check_answered(last)?;
        match self.last {
            Some(Role::User | Role::Tool) => Ok(()),
            _ => last.refuse("role", "the last message must be of role user or tool"),
        }
    }
}

impl WireMessage {
    fn accept(self, place: Place) -> Result<Message, Refusal> {
        let (role, calls) = (self.role, self.tool_calls.unwrap_or_default());
        if role != Role::Assistant && !calls.is_empty() {
            return place.refuse("tool_calls", "only a message of role assistant has tool_calls");
        }
        if role != Role::Tool && self.tool_call_id.is_some() {
            return place.refuse("tool_call_id", "only a message of role tool has a tool_call_id");
        }
        if role != Role::Tool && self.name.is_some() {
            return place.refuse("name", "names are not shown to the model; leave it out, or write it into content");
        }
        let content = self.content.map(|content| content.into_text(&place.of("content"))).transpose()?;
        let needed = |content: Option<String>| match content {
            Some(text) => Ok(text),
            None => Err(Refusal::invalid(place.of("content"), "missing_parameter", "the message needs content")),
        };
        match role {
            Role::System | Role::Developer => needed(content).map(Message::System),
            Role::User => needed(content).map(Message::User),
            Role::Assistant => said(content.filter(|text| !text.is_empty()), calls, place),
            Role::Tool => {
                let text = needed(content)?;
                // A result that is JSON is shown to the model as such.
                let content = json::parse_text(&text).unwrap_or(Value::String(text));
                let call_id = call_id::for_model(&self.tool_call_id.unwrap_or_default());
                Ok(Message::ToolResult { call_id, content })
            }
        }
    }
}

fn said(content: Option<String>, calls: Vec<WireCall>, place: Place) -> Result<Message, Refusal> {
    match (content, calls) {
        (Some(text), calls) if calls.is_empty() => Ok(Message::Assistant(text)),
        (None, calls) if !calls.is_empty() => {
            let accepted = calls.into_iter().enumerate().map(|(index, call)| {
                let at = format!("tool_calls[{index}].function.arguments");
                call.accept().or_else(|reason| place.refuse(&at, reason))
            });
            Ok(Message::ToolCalls(accepted.collect::<Result<_, _>>()?))
        }
        (Some(_), _) => place.refuse("content", "a message has content or tool_calls, not both; leave one out"),
        (None, _) => place.refuse("content", "a message of role assistant needs content or tool_calls"),
    }
}

impl WireCall {
    fn accept(self) -> Result<ToolCall, String> {
        let WireFunction { name, arguments, .. } = self.function;
        let arguments: Map<String, Value> = match json::parse_text(&arguments) {
            Ok(Value::Object(arguments)) => arguments,
            Ok(_) => return Err("the arguments are JSON, but no JSON object".to_owned()),
            Err(reason) => return Err(format!("the arguments are no JSON object: {reason}")),
        };
        Ok(ToolCall { id: call_id::for_model(&self.id), name, arguments })
    }
}
