//! Batched LLM inference in the process. Turns token ids into token ids for many sequences at once, and, one floor up,
//! conversations into replies. Knows nothing of tasks, agents, queues or HTTP.
//!
//! Reading order: [`engine`] (its `step.rs` first), [`backend`], then what happens on the caller's side:
//! [`tokenizer`], [`chat`], [`grammar`], and [`chat_model`], which puts them together.

pub mod backend;
pub mod chat;
pub mod chat_model;
pub mod engine;
pub mod grammar;
pub mod measure;
mod model;
pub mod tokenizer;

pub use chat::{Message, ToolCall, ToolDefinition};
pub use chat_model::{
    ChatModel, ChatReply, ChatRequest, CompleteRequest, RawPrompt, ReplyContent, ReplyError, ReplyEvent, ReplyFinish,
    ReplyStream, TokenLogprobs, TokenPiece,
};

pub use engine::{
    CacheSalt, EngineConfig, EngineHandle, EngineMetrics, EngineStats, Event, FinishReason, GenerateRequest,
    Generation, InvalidParams, Logprobs, Refused, SamplingOptions, SamplingParams, Usage,
};
pub use gguf::Format;
pub use grammar::{
    AnswerForm, Grammar, GrammarError, Invented, MAX_TITLE_WORDS, MAX_VERBATIM_WORDS, Material, NotExtracted,
    ToolChoice, check_extract, invented,
};
pub use kernels::kv::KvKind;
pub use model::{BackendChoice, LoadError, LoadOptions, Model, ModelInfo};
pub use tokenizer::{TokenId, Tokenizer};
