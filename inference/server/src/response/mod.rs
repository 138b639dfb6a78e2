//! What goes out: wire types, made of what the engine tells, whole or piece by piece.

mod chat;
mod chat_chunk;
mod collected;
mod completion;
mod completion_chunk;
mod envelope;
mod finish;
mod logprobs;
mod models;
mod stream;
mod tokenize;
mod usage;

pub(crate) use chat::ChatCompletion;
pub(crate) use chat_chunk::{ChatChunk, ChatChunks};
pub(crate) use collected::collect;
pub(crate) use completion::TextCompletion;
pub(crate) use completion_chunk::{CompletionChunks, TextChunk};
pub(crate) use envelope::Envelope;
pub(crate) use models::{ModelEntry, ModelList};
pub(crate) use stream::{Streaming, stream};
pub(crate) use tokenize::{DetokenizeResponse, TokenizeResponse};
