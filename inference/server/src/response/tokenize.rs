//! `POST /tokenize` and `POST /detokenize`, the way out, in vLLM's form.

use inference::TokenId;
use serde::Serialize;
use utoipa::ToSchema;

/// A text's tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenizeResponse {
    count: usize,
    /// Tokens of prompt and answer together.
    max_model_len: usize,
    tokens: Vec<u32>,
}

/// Tokens' text.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetokenizeResponse {
    pub(crate) prompt: String,
}

impl TokenizeResponse {
    pub(crate) fn new(tokens: &[TokenId], max_model_len: usize) -> Self {
        TokenizeResponse { count: tokens.len(), max_model_len, tokens: tokens.iter().map(|id| id.0).collect() }
    }
}
