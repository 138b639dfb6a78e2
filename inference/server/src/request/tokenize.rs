//! `POST /tokenize` and `POST /detokenize`, the way in, in vLLM's form.

use inference::{ChatModel, TokenId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::message::{WireMessage, conversation};
use super::tools::{Tool, definitions};
use crate::refusal::Refusal;

/// A text or a conversation to be made tokens of.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenizeRequest {
    /// A name that `GET /v1/models` lists; needed where it lists several.
    pub(crate) model: Option<String>,
    /// A text; either this or `messages`.
    prompt: Option<String>,
    /// A conversation, as in `/v1/chat/completions`.
    messages: Option<Vec<WireMessage>>,
    /// The tools that go with `messages`.
    tools: Option<Vec<Tool>>,
    /// Whether a text gets the token in front that begins every prompt; true unless given. Not with `messages`, whose
    /// format has its tokens in any case.
    add_special_tokens: Option<bool>,
}

/// What to make tokens of.
pub(crate) enum Tokenized {
    Text { text: String, begins_prompt: bool },
    Chat { messages: Vec<inference::Message>, tools: Vec<inference::ToolDefinition> },
}

impl TokenizeRequest {
    pub(crate) fn check(self) -> Result<Tokenized, Refusal> {
        match (self.prompt, self.messages) {
            (Some(text), None) if self.tools.is_none() => {
                Ok(Tokenized::Text { text, begins_prompt: self.add_special_tokens.unwrap_or(true) })
            }
            (Some(_), None) => {
                Err(Refusal::invalid("tools", "invalid_value", "tools go with messages; leave them out"))
            }
            (None, Some(messages)) if self.add_special_tokens.is_none() => Ok(Tokenized::Chat {
                messages: conversation(messages)?,
                tools: definitions(self.tools.unwrap_or_default())?,
            }),
            (None, Some(_)) => {
                let message = "a conversation has its special tokens in any case; leave add_special_tokens out";
                Err(Refusal::invalid("add_special_tokens", "invalid_value", message))
            }
            (None, None) => Err(Refusal::invalid("prompt", "missing_parameter", "give a prompt or messages")),
            (Some(_), Some(_)) => {
                Err(Refusal::invalid("prompt", "invalid_value", "give a prompt or messages, not both"))
            }
        }
    }
}

impl Tokenized {
    pub(crate) fn tokens(&self, model: &ChatModel) -> Result<Vec<TokenId>, Refusal> {
        match self {
            Tokenized::Chat { messages, tools } => {
                model.prompt(messages, tools).map_err(|error| Refusal::of_reply(error, "messages"))
            }
            Tokenized::Text { text, begins_prompt } => {
                let tokenizer = model.tokenizer();
                let begin = begins_prompt.then(|| tokenizer.bos());
                Ok(begin.into_iter().chain(tokenizer.encode_text(text)).collect())
            }
        }
    }
}

/// Tokens to be made a text of.
#[derive(Deserialize, ToSchema)]
pub(crate) struct DetokenizeRequest {
    /// A name that `GET /v1/models` lists; needed where it lists several.
    pub(crate) model: Option<String>,
    tokens: Vec<u32>,
}

impl DetokenizeRequest {
    /// The tokens, if the model has them all.
    pub(crate) fn check(self, vocab_size: usize) -> Result<Vec<TokenId>, Refusal> {
        match self.tokens.iter().position(|id| *id as usize >= vocab_size) {
            None => Ok(self.tokens.into_iter().map(TokenId).collect()),
            Some(at) => {
                let message = format!("the model has no token {}; its tokens are below {vocab_size}", self.tokens[at]);
                Err(Refusal::invalid(format!("tokens[{at}]"), "invalid_value", message))
            }
        }
    }
}
