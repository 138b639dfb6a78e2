//! A model one can talk to: messages in, an answer or tool calls out. Rendering, tokenizing, compiling grammars and
//! parsing happen here, on the caller's side; the engine only sees token ids.

mod parse;
mod reply;

use std::sync::Arc;
use std::time::Instant;

use types::TaskClass;

use crate::chat::{Message, Renderer, ToolCall, ToolDefinition};
use crate::engine::{CacheSalt, EngineHandle, SamplingParams, Usage};
use crate::grammar::{AnswerForm, GrammarCompiler, Material, ToolChoice};
use crate::model::ModelInfo;
use crate::tokenizer::Tokenizer;

/// A loaded model with its running engine; cheap to clone.
#[derive(Clone)]
pub struct ChatModel {
    handle: EngineHandle,
    parts: Arc<Parts>,
}

struct Parts {
    info: ModelInfo,
    tokenizer: Arc<Tokenizer>,
    renderer: Renderer,
    grammars: GrammarCompiler,
}

/// One turn asked of the model.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The conversation so far; it ends with a user message or tool results.
    pub messages: Vec<Message>,
    /// Tools the model is told of.
    pub tools: Vec<ToolDefinition>,
    /// Those of them that it may call now, each with the schema that its arguments are held to; it may be narrower than
    /// the one the model is told of.
    pub callable: Vec<ToolDefinition>,
    /// Whether it may or must call one. A reply holds at most one call.
    pub tool_choice: ToolChoice,
    /// What an answer looks like.
    pub answer: AnswerForm,
    /// What verbatim strings of the arguments and the answer, and extracts, are copied from.
    pub material: Arc<Material>,
    /// How tokens are chosen and how many at most. The end-of-text token always stops.
    pub params: SamplingParams,
    /// Decides the order of waiting.
    pub class: TaskClass,
    /// Whose prompts it may share computed prefixes with: one salt per tenant.
    pub cache_salt: CacheSalt,
    /// The reply is given up at this moment.
    pub deadline: Option<Instant>,
}

/// What the model wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatReply {
    /// The answer or the calls.
    pub content: ReplyContent,
    /// What it took.
    pub usage: Usage,
    /// How the generation ended.
    pub finish: ReplyFinish,
}

/// An answer or calls, never both.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplyContent {
    /// Text of the request's form.
    Answer(String),
    /// Calls with fresh ids.
    ToolCalls(Vec<ToolCall>),
}

/// How a complete reply ended. Replies cut short are errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFinish {
    /// The model ended its answer.
    Stop,
    /// The model asked for tools.
    ToolCalls,
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The conversation does not fit, however long it waits.
    #[error("the conversation has {tokens} tokens but the model accepts {max}; shorten it")]
    TooLong {
        /// Tokens of the rendered conversation.
        tokens: usize,
        /// The most that are accepted.
        max: usize,
    },
    /// The engine's line is full; later it may not be.
    #[error("the engine is overloaded ({waiting} requests wait); try again later")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// A tool's parameters or the answer schema cannot be enforced.
    #[error("{0}")]
    BadSchema(String),
    /// The deadline passed first.
    #[error("the deadline passed after {} generated tokens", usage.completion_tokens)]
    Deadline {
        /// What was spent.
        usage: Usage,
    },
    /// The reply did not end within `max_new_tokens` or the context.
    #[error("the reply did not end within {} tokens; raise max_new_tokens or ask for less", usage.completion_tokens)]
    LengthLimit {
        /// What was spent.
        usage: Usage,
    },
    /// The engine is shutting down; another one may take the request.
    #[error("the engine is stopping and takes no more requests")]
    Stopped,
    /// The engine or the model failed.
    #[error("the model failed: {0}")]
    Failed(String),
}
