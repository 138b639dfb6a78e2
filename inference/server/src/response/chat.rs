//! `POST /v1/chat/completions`, the way out as a whole.

use serde::Serialize;
use utoipa::ToSchema;

use super::collected::{Collected, CollectedCall};
use super::envelope::Envelope;
use super::finish::FinishReason;
use super::logprobs::ChatLogprobs;
use super::usage::{UsageView, total};

/// The model's answers to a conversation.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatCompletion {
    #[schema(example = "chatcmpl-0123456789abcdef0123456789abcdef")]
    id: String,
    /// `chat.completion`.
    object: &'static str,
    /// Seconds since 1970.
    created: u64,
    model: String,
    /// What the answers depend on besides the request.
    system_fingerprint: String,
    choices: Vec<ChatAnswer>,
    usage: UsageView,
}

/// One answer.
#[derive(Serialize, ToSchema)]
struct ChatAnswer {
    index: usize,
    message: AssistantMessage,
    logprobs: Option<ChatLogprobs>,
    finish_reason: FinishReason,
}

/// What the model said; it can be sent back as it is.
#[derive(Serialize, ToSchema)]
struct AssistantMessage {
    /// `assistant`.
    role: &'static str,
    /// Null where there are calls.
    content: Option<String>,
    #[schema(value_type = Option<Object>)]
    refusal: Option<()>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallView>,
}

/// A call to make.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatCallMade)]
struct CallView {
    /// Nine letters and digits.
    id: String,
    /// `function`.
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionView,
}

/// The function and what it is called with.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatFunctionCalled)]
struct FunctionView {
    name: String,
    /// A JSON object in a text.
    arguments: String,
}

impl ChatCompletion {
    pub(crate) fn new(envelope: Envelope, answers: Vec<Collected>) -> Self {
        let usages: Vec<_> = answers.iter().map(|answer| answer.usage).collect();
        ChatCompletion {
            id: envelope.id,
            object: "chat.completion",
            created: envelope.created,
            model: envelope.model,
            system_fingerprint: envelope.system_fingerprint,
            usage: total(&usages, usages.len()),
            choices: answers.into_iter().enumerate().map(|(index, answer)| ChatAnswer::new(index, answer)).collect(),
        }
    }
}

impl ChatAnswer {
    fn new(index: usize, answer: Collected) -> Self {
        let content = if answer.calls.is_empty() { Some(answer.text) } else { None };
        let tool_calls = answer.calls.into_iter().map(CallView::from).collect();
        ChatAnswer {
            index,
            message: AssistantMessage { role: "assistant", content, refusal: None, tool_calls },
            logprobs: ChatLogprobs::of(answer.tokens),
            finish_reason: answer.finish.into(),
        }
    }
}

impl From<CollectedCall> for CallView {
    fn from(call: CollectedCall) -> Self {
        let CollectedCall { id, name, arguments } = call;
        CallView { id, kind: "function", function: FunctionView { name, arguments } }
    }
}
