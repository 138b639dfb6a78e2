//! `POST /v1/chat/completions`, the way out.

use inference::{ChatReply, ReplyContent, ReplyFinish, ToolCall};
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
pub(crate) struct Completion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: [Choice; 1],
    usage: Usage,
}

#[derive(Serialize)]
struct Choice {
    index: u32,
    message: AssistantMessage,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct AssistantMessage {
    role: &'static str,
    content: Option<String>,
    refusal: Option<()>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
}

#[derive(Serialize)]
struct Call {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function,
}

#[derive(Serialize)]
struct Function {
    name: String,
    /// JSON in a text.
    arguments: String,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
}

impl Completion {
    pub(crate) fn new(model: String, reply: ChatReply, created: u64) -> Self {
        let (content, tool_calls) = match reply.content {
            ReplyContent::Answer(text) => (Some(text), Vec::new()),
            ReplyContent::ToolCalls(calls) => (None, calls.into_iter().map(Call::from).collect()),
        };
        let inference::Usage { prompt_tokens, completion_tokens } = reply.usage;
        Completion {
            id: format!("chatcmpl-{:032x}", rand::random::<u128>()),
            object: "chat.completion",
            created,
            model,
            choices: [Choice {
                index: 0,
                message: AssistantMessage { role: "assistant", content, refusal: None, tool_calls },
                logprobs: None,
                finish_reason: match reply.finish {
                    ReplyFinish::Stop => "stop",
                    ReplyFinish::ToolCalls => "tool_calls",
                },
            }],
            usage: Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
        }
    }
}

impl From<ToolCall> for Call {
    fn from(call: ToolCall) -> Self {
        let arguments = Value::Object(call.arguments).to_string();
        Call { id: call.id, kind: "function", function: Function { name: call.name, arguments } }
    }
}
