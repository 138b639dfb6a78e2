//! `POST /v1/chat/completions`, the way out piece by piece.

use inference::ReplyEvent;
use serde::Serialize;
use utoipa::ToSchema;

use super::finish::FinishReason;
use super::logprobs::ChatLogprobs;
use super::stream::Chunks;
use super::usage::UsageView;

/// A chunk of a streamed chat, as it is described; [`super::stream`] writes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description of what the stream writes")]
pub(crate) struct ChatChunk {
    id: String,
    /// `chat.completion.chunk`.
    object: &'static str,
    created: u64,
    model: String,
    system_fingerprint: String,
    /// None in the chunk of the usage.
    choices: Vec<ChatPiece>,
    /// Only with `stream_options.include_usage`: null in all chunks but the last.
    #[schema(required = false)]
    usage: Option<UsageView>,
}

/// More of one answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatPiece {
    index: usize,
    delta: Delta,
    logprobs: Option<ChatLogprobs>,
    /// In the answer's last chunk.
    finish_reason: Option<FinishReason>,
}

/// What is new.
#[derive(Default, Serialize, ToSchema)]
struct Delta {
    /// `assistant`, in the answer's first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallPiece; 1]>,
}

/// More of a call.
#[derive(Serialize, ToSchema)]
struct CallPiece {
    /// Its place among the answer's calls.
    index: usize,
    /// In the call's first piece, as `type` and the function's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: FunctionPiece,
}

/// More of a call's function.
#[derive(Serialize, ToSchema)]
struct FunctionPiece {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// More of a JSON object in a text.
    arguments: String,
}

/// The words of chats.
pub(crate) struct ChatChunks;

impl Chunks for ChatChunks {
    const OBJECT: &'static str = "chat.completion.chunk";
    type Piece = ChatPiece;

    fn begin(&self, index: usize) -> Option<ChatPiece> {
        let delta = Delta { role: Some("assistant"), content: Some(String::new()), ..Delta::default() };
        Some(ChatPiece { index, delta, logprobs: None, finish_reason: None })
    }

    fn piece(&mut self, index: usize, event: ReplyEvent) -> Option<ChatPiece> {
        let (delta, logprobs, finish_reason) = match event {
            ReplyEvent::Text { text, tokens } => {
                (Delta { content: Some(text), ..Delta::default() }, ChatLogprobs::of(tokens), None)
            }
            ReplyEvent::CallBegins { index, id, name } => {
                let function = FunctionPiece { name: Some(name), arguments: String::new() };
                (Delta::call(CallPiece { index, id: Some(id), kind: Some("function"), function }), None, None)
            }
            ReplyEvent::Arguments { index, text } => {
                let function = FunctionPiece { name: None, arguments: text };
                (Delta::call(CallPiece { index, id: None, kind: None, function }), None, None)
            }
            ReplyEvent::Finished { finish, .. } => (Delta::default(), None, Some(finish.into())),
        };
        Some(ChatPiece { index, delta, logprobs, finish_reason })
    }
}

impl Delta {
    fn call(piece: CallPiece) -> Self {
        Delta { tool_calls: Some([piece]), ..Delta::default() }
    }
}
