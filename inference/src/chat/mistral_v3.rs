//! The Mistral v3 prompt format, as mistral-common renders it: the system text and the tools go with the last user
//! message, calls and results carry ids. Each text is a segment of its own.

use serde_json::{Map, Value, json};

use super::{Message, ToolCall, ToolDefinition, dumps};
use crate::tokenizer::{Segment, TokenId, Tokenizer};

/// The control tokens of the format, looked up once.
pub(crate) struct MistralV3 {
    bos: TokenId,
    eos: TokenId,
    begin_inst: TokenId,
    end_inst: TokenId,
    begin_tools: TokenId,
    end_tools: TokenId,
    begin_results: TokenId,
    end_results: TokenId,
    pub(crate) tool_calls: TokenId,
}

impl MistralV3 {
    /// Fails with the name of a control token that the vocabulary lacks.
    pub(crate) fn new(tokenizer: &Tokenizer) -> Result<Self, &'static str> {
        let control = |name| tokenizer.control(name).ok_or(name);
        Ok(MistralV3 {
            bos: tokenizer.bos(),
            eos: tokenizer.eos(),
            begin_inst: control("[INST]")?,
            end_inst: control("[/INST]")?,
            begin_tools: control("[AVAILABLE_TOOLS]")?,
            end_tools: control("[/AVAILABLE_TOOLS]")?,
            begin_results: control("[TOOL_RESULTS]")?,
            end_results: control("[/TOOL_RESULTS]")?,
            tool_calls: control("[TOOL_CALLS]")?,
        })
    }

    /// The prompt of a conversation.
    pub(crate) fn render(&self, messages: &[Message], tools: &[ToolDefinition]) -> Vec<Segment> {
        let mut segments = vec![Segment::Control(self.bos)];
        let last_user = messages.iter().rposition(|message| matches!(message, Message::User(_)));
        let mut next = 0;
        for turn in messages.chunk_by(is_one_turn) {
            next += turn.len();
            match &turn[0] {
                Message::System(_) => {}
                Message::User(_) if last_user == Some(next - 1) => {
                    if !tools.is_empty() {
                        self.wrap(self.begin_tools, dumps(&available(tools)), self.end_tools, &mut segments);
                    }
                    let system = messages.iter().filter(|message| matches!(message, Message::System(_)));
                    let (system, user) = (paragraphs(system), paragraphs(turn));
                    let text = if system.is_empty() { user } else { format!("{system}\n\n{user}") };
                    self.wrap(self.begin_inst, text, self.end_inst, &mut segments);
                }
                Message::User(_) => self.wrap(self.begin_inst, paragraphs(turn), self.end_inst, &mut segments),
                Message::Assistant(_) => {
                    let text = paragraphs(turn).trim_end_matches(' ').to_owned();
                    segments.extend([Segment::Text(text), Segment::Control(self.eos)]);
                }
                Message::ToolCalls(_) => {
                    self.wrap(self.tool_calls, dumps(&written(turn)), self.eos, &mut segments);
                }
                Message::ToolResult { call_id, content } => {
                    let result = dumps(&json!({ "content": content, "call_id": call_id }));
                    self.wrap(self.begin_results, result, self.end_results, &mut segments);
                }
            }
        }
        segments
    }

    fn wrap(&self, begin: TokenId, text: String, end: TokenId, segments: &mut Vec<Segment>) {
        segments.extend([Segment::Control(begin), Segment::Text(text), Segment::Control(end)]);
    }
}

/// Users' messages in a row are one, and so are the model's of each kind. Results stay apart.
fn is_one_turn(a: &Message, b: &Message) -> bool {
    matches!(
        (a, b),
        (Message::User(_), Message::User(_))
            | (Message::Assistant(_), Message::Assistant(_))
            | (Message::ToolCalls(_), Message::ToolCalls(_))
    )
}

/// Texts that are not empty, with an empty line between.
fn paragraphs<'a>(messages: impl IntoIterator<Item = &'a Message>) -> String {
    let text = |message: &'a Message| match message {
        Message::System(text) | Message::User(text) | Message::Assistant(text) => Some(text.as_str()),
        Message::ToolCalls(_) | Message::ToolResult { .. } => None,
    };
    messages.into_iter().filter_map(text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn available(tools: &[ToolDefinition]) -> Value {
    let function = |tool: &ToolDefinition| {
        let (name, description, parameters) = (&tool.name, &tool.description, &tool.parameters);
        json!({
            "type": "function",
            "function": { "name": name, "description": description, "parameters": parameters },
        })
    };
    tools.iter().map(function).collect()
}

fn written(turn: &[Message]) -> Value {
    let calls = |message: &Message| match message {
        Message::ToolCalls(calls) => calls.clone(),
        Message::System(_) | Message::User(_) | Message::Assistant(_) | Message::ToolResult { .. } => Vec::new(),
    };
    let call = |call: ToolCall| {
        let mut entries = Map::new();
        entries.insert("name".to_owned(), call.name.into());
        entries.insert("arguments".to_owned(), call.arguments.into());
        entries.insert("id".to_owned(), call.id.into());
        Value::Object(entries)
    };
    turn.iter().flat_map(calls).map(call).collect()
}
