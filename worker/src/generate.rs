//! The seam to a model: what an agent needs of it, in the process or beyond it.

use async_trait::async_trait;
use inference::{ChatModel, ChatReply, ChatRequest, Message, ReplyError, ToolDefinition};

/// A model that takes conversations and gives replies.
#[async_trait]
pub trait Generate: Send + Sync {
    /// Tokens the model can hold: prompt and reply together.
    fn context_tokens(&self) -> usize;

    /// Tokens of the rendered conversation.
    fn count_tokens(&self, messages: &[Message], tools: &[ToolDefinition]) -> usize;

    /// One turn. Dropping the future gives the reply up and frees what it held.
    async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError>;
}

#[async_trait]
impl Generate for ChatModel {
    fn context_tokens(&self) -> usize {
        self.info().context_len
    }

    fn count_tokens(&self, messages: &[Message], tools: &[ToolDefinition]) -> usize {
        ChatModel::count_tokens(self, messages, tools)
    }

    async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError> {
        ChatModel::reply(self, request).await
    }
}
