//! A model one can talk to: messages in, an answer or tool calls out, piece by piece or as a whole. Rendering, tokenizing,
//! compiling grammars, stop strings and parsing happen here, on the caller's side; the engine only sees token ids.

mod ask;
mod stream;
mod whole;

mod assembly;

mod answer;
mod calls;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use types::TaskClass;

pub use stream::ReplyStream;

use crate::chat::{Message, Renderer, ToolCall, ToolDefinition};
use crate::engine::{CacheSalt, EngineHandle, SamplingParams, Usage};
use crate::grammar::{AnswerForm, GrammarCompiler, Lead, Material, ToolChoice};
use crate::model::ModelInfo;
use crate::tokenizer::{TokenId, Tokenizer};

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
    lead: Lead,
    preparing: Arc<Semaphore>,
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
    /// Whether it may or must call one.
    pub tool_choice: ToolChoice,
    /// The most calls that the reply may hold; with 0 it holds none, as with [`ToolChoice::None`].
    pub max_calls: usize,
    /// What an answer looks like.
    pub answer: AnswerForm,
    /// What verbatim strings of the arguments and the answer, and extracts, are copied from.
    pub material: Arc<Material>,
    /// How tokens are chosen and how many at most. The end-of-text token always stops.
    pub params: SamplingParams,
    /// An answer ends before the first of these texts. Calls do not.
    pub stop: Vec<String>,
    /// Decides the order of waiting.
    pub class: TaskClass,
    /// Whose prompts it may share computed prefixes with: one salt per tenant.
    pub cache_salt: CacheSalt,
    /// The reply is given up at this moment.
    pub deadline: Option<Instant>,
}

/// A text to go on with, in no chat format.
#[derive(Clone, Debug)]
pub struct CompleteRequest {
    /// What is gone on with.
    pub prompt: RawPrompt,
    /// What the continuation looks like. There is no material, so an extract is any text.
    pub answer: AnswerForm,
    /// As in [`ChatRequest`].
    pub params: SamplingParams,
    /// The continuation ends before the first of these texts.
    pub stop: Vec<String>,
    /// As in [`ChatRequest`].
    pub class: TaskClass,
    /// As in [`ChatRequest`].
    pub cache_salt: CacheSalt,
    /// As in [`ChatRequest`].
    pub deadline: Option<Instant>,
}

/// A prompt as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawPrompt {
    /// Text; the token that begins every prompt is put in front.
    Text(String),
    /// Tokens; nothing is put in front.
    Tokens(Vec<TokenId>),
}

/// What a reply is made of, in order: text or calls, then exactly one `Finished`.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplyEvent {
    /// More of the answer; all of it together is the answer.
    Text {
        /// What is certain by now: the beginning of a stop text and a part of a character are held back.
        text: String,
        /// The tokens that this completes, if log-probabilities were asked for.
        tokens: Vec<TokenLogprobs>,
    },
    /// A call begins.
    CallBegins {
        /// Its place among the reply's calls.
        index: usize,
        /// Nine fresh letters and digits.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of a call's arguments; all of it together is a JSON object as the model spelled it.
    Arguments {
        /// The call.
        index: usize,
        /// Whole characters.
        text: String,
    },
    /// The end.
    Finished {
        /// How it came.
        finish: ReplyFinish,
        /// What the reply took.
        usage: Usage,
    },
}

/// A token of an answer and how probable it and its rivals were, in natural logarithms.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprobs {
    /// The token that was chosen.
    pub token: TokenPiece,
    /// Its own.
    pub logprob: f32,
    /// The most probable tokens' of all, the most probable first; as many as were asked for.
    pub top: Vec<(TokenPiece, f32)>,
}

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPiece {
    /// Its number.
    pub id: TokenId,
    /// Its text, with replacement characters where it is only a part of a character; a control token's name.
    pub text: String,
    /// The bytes that it adds to a text; a control token adds none.
    pub bytes: Vec<u8>,
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

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFinish {
    /// The model ended its answer, or came to a stop text.
    Stop,
    /// The model asked for tools.
    ToolCalls,
    /// Cut short by `max_new_tokens` or the context, perhaps in the middle of a call. A reply as a whole never ends so.
    Length,
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
    /// A tool's parameters or the form of the answer cannot be enforced.
    #[error("{0}")]
    BadSchema(String),
    /// Nothing can be asked so.
    #[error("{0}")]
    BadRequest(String),
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
    /// A model beyond this process is full or away; later it may not be.
    #[error("the model is not available: {0}")]
    Unavailable(String),
    /// The engine or the model failed.
    #[error("the model failed: {0}")]
    Failed(String),
}
