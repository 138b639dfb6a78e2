//! The seam to a model: what an agent needs of it, in the process or beyond it.

mod remote;

mod refusal;
mod reply;
mod request;

use std::sync::Arc;

use async_trait::async_trait;
use inference::{ChatModel, ChatReply, ChatRequest, Message, ReplyError, ToolDefinition};
pub use remote::{ConnectError, RemoteChat};

use crate::blocking::blocking;

/// A model that takes conversations and gives replies.
#[async_trait]
pub trait Generate: Send + Sync {
    /// Tokens the model can hold: prompt and reply together.
    fn context_tokens(&self) -> usize;

    /// Tokens of the rendered conversation, or an estimate of them. Owned, so that they can be counted where that holds nobody up.
    async fn count_tokens(&self, messages: Vec<Message>, tools: Arc<[ToolDefinition]>) -> usize;

    /// One turn. Dropping the future gives the reply up and frees what it held.
    async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError>;
}

#[async_trait]
impl Generate for ChatModel {
    fn context_tokens(&self) -> usize {
        self.info().context_len
    }

    async fn count_tokens(&self, messages: Vec<Message>, tools: Arc<[ToolDefinition]>) -> usize {
        let model = self.clone();
        blocking(move || ChatModel::count_tokens(&model, &messages, &tools)).await
    }

    async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError> {
        ChatModel::reply(self, request).await
    }
}
