//! Asking: render, compile and tokenize on the caller's side, then hand over to the engine.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::answer::Answer;
use super::assembly::Assembly;
use super::whole::Whole;
use super::{ChatModel, ChatReply, ChatRequest, CompleteRequest, Parts, RawPrompt, ReplyError, ReplyStream};
use crate::chat::{Message, RenderError, ToolDefinition};
use crate::engine::{self, EngineConfig, EngineHandle, EngineMetrics, GenerateRequest, InvalidConfig, Refused, Usage};
use crate::grammar::{AnswerForm, GrammarError, Lead, Material, ReplyForm, ToolChoice};
use crate::model::{Model, ModelInfo};
use crate::tokenizer::{Segment, TokenId, Tokenizer};

/// So many costly schemas take memory and time at the same moment; other requests wait for their turn.
const MAX_PREPARED_AT_ONCE: usize = 8;

impl ChatModel {
    /// Starts the engine of a loaded model.
    pub fn start(model: Model, config: EngineConfig, metrics: EngineMetrics) -> Result<ChatModel, InvalidConfig> {
        let Model { info, tokenizer, renderer, grammars, backend } = model;
        let handle = engine::start(backend, config, metrics)?;
        let begins_with_space = tokenizer.decode(&tokenizer.encode_text("a")).starts_with(' ');
        let lead = if begins_with_space { Lead::Space } else { Lead::Nothing };
        let preparing = Arc::new(Semaphore::new(MAX_PREPARED_AT_ONCE));
        Ok(ChatModel { handle, parts: Arc::new(Parts { info, tokenizer, renderer, grammars, lead, preparing }) })
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
    pub fn prompt(&self, messages: &[Message], tools: &[ToolDefinition]) -> Result<Vec<TokenId>, ReplyError> {
        self.parts.prompt(messages, tools)
    }

    /// Length of that prompt; 0 where there is none, which asking for a reply gives the reason of.
    pub fn count_tokens(&self, messages: &[Message], tools: &[ToolDefinition]) -> usize {
        self.parts.prompt(messages, tools).map_or(0, |prompt| prompt.len())
    }

    /// Accepts a turn or refuses it; then the reply comes piece by piece. Needs a tokio runtime.
    pub async fn chat(&self, request: ChatRequest) -> Result<ReplyStream, ReplyError> {
        self.ask(request.deadline, move |parts| parts.prepare_chat(request)).await
    }

    /// Accepts a text to go on with or refuses it; then its continuation comes piece by piece. Needs a tokio runtime.
    pub async fn complete(&self, request: CompleteRequest) -> Result<ReplyStream, ReplyError> {
        self.ask(request.deadline, move |parts| parts.prepare_completion(request)).await
    }

    /// A turn as a whole. Dropping the future aborts it.
    pub async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError> {
        let mut stream = self.chat(request).await?;
        let mut whole = Whole::default();
        while let Some(event) = stream.next().await {
            if let Some(reply) = whole.add(event?) {
                return reply;
            }
        }
        Err(ReplyError::Failed("the reply had no end".to_owned()))
    }

    /// A large schema takes longer to compile than an executor's thread should be held.
    async fn ask(
        &self,
        deadline: Option<Instant>,
        prepare: impl FnOnce(&Parts) -> Result<(GenerateRequest, Assembly), ReplyError> + Send + 'static,
    ) -> Result<ReplyStream, ReplyError> {
        let parts = self.parts.clone();
        // Never closed, so there is always a permit in the end; given back when the work is done, even if nobody waits.
        let permit = self.parts.preparing.clone().acquire_owned();
        let permit = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), permit).await,
            None => Ok(permit.await),
        };
        let permit = permit.map_err(|_| ReplyError::Deadline { usage: Usage::default() })?;
        let prepared = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            prepare(&parts)
        });
        let failed = |error| ReplyError::Failed(format!("preparing the prompt: {error}"));
        let (request, assembly) = prepared.await.map_err(failed)??;
        Ok(ReplyStream::new(self.handle.generate(request)?, assembly))
    }
}

impl Parts {
    fn prompt(&self, messages: &[Message], tools: &[ToolDefinition]) -> Result<Vec<TokenId>, ReplyError> {
        Ok(self.tokenizer.encode(&self.renderer.render(messages, tools)?))
    }

    fn prepare_chat(&self, request: ChatRequest) -> Result<(GenerateRequest, Assembly), ReplyError> {
        let grammar = self.grammars.compile_form(&ReplyForm {
            tools: &request.callable,
            choice: request.tool_choice,
            max_calls: request.max_calls,
            answer: &request.answer,
            material: &request.material,
            lead: self.lead,
        })?;
        let asked = GenerateRequest {
            prompt: self.prompt(&request.messages, &request.tools)?,
            params: request.params.stop_at(self.tokenizer.eos()),
            grammar: Some(grammar),
            class: request.class,
            deadline: request.deadline,
            cache_salt: request.cache_salt,
        };
        let answer = Answer::new(request.stop, self.lead);
        Ok((asked, Assembly::new(self.tokenizer.clone(), self.renderer.tool_calls(), answer)))
    }

    fn prepare_completion(&self, request: CompleteRequest) -> Result<(GenerateRequest, Assembly), ReplyError> {
        let grammar = match request.answer {
            AnswerForm::Text | AnswerForm::Extract => None,
            answer @ (AnswerForm::Json(_) | AnswerForm::Regex(_)) => {
                let form = ReplyForm {
                    tools: &[],
                    choice: ToolChoice::None,
                    max_calls: 0,
                    answer: &answer,
                    material: &Material::default(),
                    lead: Lead::Nothing,
                };
                Some(self.grammars.compile_form(&form)?)
            }
        };
        let prompt = match request.prompt {
            RawPrompt::Text(text) => {
                self.tokenizer.encode(&[Segment::Control(self.tokenizer.bos()), Segment::Text(text)])
            }
            RawPrompt::Tokens(tokens) => tokens,
        };
        let asked = GenerateRequest {
            prompt,
            params: request.params.stop_at(self.tokenizer.eos()),
            grammar,
            class: request.class,
            deadline: request.deadline,
            cache_salt: request.cache_salt,
        };
        Ok((asked, Assembly::new(self.tokenizer.clone(), None, Answer::new(request.stop, Lead::Nothing))))
    }
}

impl From<Refused> for ReplyError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLong { tokens, max } => ReplyError::TooLong { tokens, max },
            Refused::Overloaded { waiting } => ReplyError::Overloaded { waiting },
            Refused::Stopped => ReplyError::Stopped,
            Refused::Empty | Refused::UnknownToken { .. } => ReplyError::BadRequest(refused.to_string()),
        }
    }
}

impl From<RenderError> for ReplyError {
    fn from(error: RenderError) -> Self {
        ReplyError::BadRequest(error.to_string())
    }
}

impl From<GrammarError> for ReplyError {
    fn from(error: GrammarError) -> Self {
        ReplyError::BadSchema(error.to_string())
    }
}
