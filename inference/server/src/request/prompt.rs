//! The prompts of a plain completion: texts or tokens, one or several.

use inference::{RawPrompt, TokenId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::refusal::Refusal;

const MAX_PROMPTS: usize = 64;

/// A text, several texts, a list of tokens, or several such lists; 64 prompts at most.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string, a list of strings, a list of token ids or a list of such lists")]
pub(crate) enum Prompt {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

impl Prompt {
    /// At least one.
    pub(crate) fn check(self) -> Result<Vec<RawPrompt>, Refusal> {
        let tokens = |ids: Vec<u32>| RawPrompt::Tokens(ids.into_iter().map(TokenId).collect());
        let prompts: Vec<RawPrompt> = match self {
            Prompt::Text(text) => vec![RawPrompt::Text(text)],
            Prompt::Texts(texts) => texts.into_iter().map(RawPrompt::Text).collect(),
            Prompt::Tokens(ids) => vec![tokens(ids)],
            Prompt::TokenLists(lists) => lists.into_iter().map(tokens).collect(),
        };
        if !(1..=MAX_PROMPTS).contains(&prompts.len()) {
            let message = format!("prompt has {} prompts but must have 1 to {MAX_PROMPTS}", prompts.len());
            return Err(Refusal::invalid("prompt", "invalid_value", message));
        }
        Ok(prompts)
    }
}
