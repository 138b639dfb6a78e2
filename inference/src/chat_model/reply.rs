//! One turn: render, compile, generate, parse.

use std::sync::Arc;

use super::{ChatModel, ChatReply, ChatRequest, Parts, ReplyContent, ReplyError, ReplyFinish, parse};
use crate::chat::{Message, ToolDefinition};
use crate::engine::{
    self, EngineConfig, EngineHandle, EngineMetrics, Event, FinishReason, GenerateRequest, InvalidConfig, Refused,
    Usage,
};

use crate::grammar::GrammarError;
use crate::model::{Model, ModelInfo};
use crate::tokenizer::{TokenId, Tokenizer};

impl ChatModel {
    /// Starts the engine of a loaded model.
    pub fn start(model: Model, config: EngineConfig, metrics: EngineMetrics) -> Result<ChatModel, InvalidConfig> {
        let Model { info, tokenizer, renderer, grammars, backend } = model;
        let handle = engine::start(backend, config, metrics)?;
        Ok(ChatModel { handle, parts: Arc::new(Parts { info, tokenizer, renderer, grammars }) })
    }

    /// The engine, for statistics, draining, and requests by token.
    pub fn handle(&self) -> &EngineHandle {
        &self.handle
    }

    /// What the model is.
    pub fn info(&self) -> &ModelInfo {
        &self.parts.info
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.parts.tokenizer
    }

    /// The conversation as the model would read it.
    pub fn prompt(&self, messages: &[Message], tools: &[ToolDefinition]) -> Vec<TokenId> {
        self.parts.prompt(messages, tools)
    }

    /// Length of that prompt.
    pub fn count_tokens(&self, messages: &[Message], tools: &[ToolDefinition]) -> usize {
        self.parts.prompt(messages, tools).len()
    }

    /// Asks for one turn; needs a tokio runtime. Dropping the future aborts it.
    pub async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError> {
        let parts = self.parts.clone();
        // A large schema takes longer to compile than an executor's thread should be held.
        let prepared = tokio::task::spawn_blocking(move || parts.prepare(request)).await;
        let request = prepared.map_err(|error| ReplyError::Failed(format!("preparing the prompt: {error}")))??;
        let mut generation = self.handle.generate(request)?;
        let mut ids = Vec::new();
        while let Some(event) = generation.next().await {
            match event {
                Event::Token { id, .. } => ids.push(id),
                Event::Finished { reason, usage } => return self.parts.conclude(&ids, reason, usage),
            }
        }
        Err(ReplyError::Failed("the engine gave no end".to_owned()))
    }
}

impl Parts {
    fn prompt(&self, messages: &[Message], tools: &[ToolDefinition]) -> Vec<TokenId> {
        self.tokenizer.encode(&self.renderer.render(messages, tools))
    }

    fn prepare(&self, request: ChatRequest) -> Result<GenerateRequest, ReplyError> {
        let ChatRequest {
            messages,
            tools,
            callable,
            tool_choice,
            answer,
            material,
            params,
            class,
            cache_salt,
            deadline,
        } = request;
        let grammar = self.grammars.compile(&material, &callable, tool_choice, answer)?;
        let params = params.stop_at(self.tokenizer.eos());
        Ok(GenerateRequest {
            prompt: self.prompt(&messages, &tools),
            params,
            grammar: Some(grammar),
            class,
            deadline,
            cache_salt,
        })
    }

    fn conclude(&self, ids: &[TokenId], reason: FinishReason, usage: Usage) -> Result<ChatReply, ReplyError> {
        match reason {
            FinishReason::Stop => {}
            FinishReason::Length => return Err(ReplyError::LengthLimit { usage }),
            FinishReason::Deadline => return Err(ReplyError::Deadline { usage }),
            FinishReason::Stopped => return Err(ReplyError::Stopped),
            FinishReason::Failed(reason) => return Err(ReplyError::Failed(reason)),
        }
        let text = self.tokenizer.decode(ids);
        if ids.first() == Some(&self.renderer.tool_calls) {
            let calls = parse::tool_calls(&text)
                .map_err(|error| ReplyError::Failed(format!("unreadable tool call {text:?}: {error}")))?;
            return Ok(ChatReply { content: ReplyContent::ToolCalls(calls), usage, finish: ReplyFinish::ToolCalls });
        }
        let answer = text.strip_prefix(' ').unwrap_or(&text).to_owned();
        Ok(ChatReply { content: ReplyContent::Answer(answer), usage, finish: ReplyFinish::Stop })
    }
}

impl From<Refused> for ReplyError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLong { tokens, max } => ReplyError::TooLong { tokens, max },
            Refused::Overloaded { waiting } => ReplyError::Overloaded { waiting },
            Refused::Stopped => ReplyError::Stopped,
            // Rendered prompts have tokens, and this model's: anything else is our defect.
            Refused::Empty | Refused::UnknownToken { .. } => ReplyError::Failed(refused.to_string()),
        }
    }
}

impl From<GrammarError> for ReplyError {
    fn from(error: GrammarError) -> Self {
        ReplyError::BadSchema(error.to_string())
    }
}
