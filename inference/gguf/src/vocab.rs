//! A vocabulary as files have it.

use crate::error::Problem;
use crate::metadata::Metadata;
use crate::value::Value;

/// `tokenizer.ggml.*` as it stands in the file; the lists are not held to each other yet.
#[derive(Clone, Debug, PartialEq)]
pub struct RawVocab {
    /// The kind of tokenizer: `llama` is SentencePiece BPE.
    pub model: String,
    /// Pieces by id.
    pub tokens: Vec<String>,
    /// Pieces of a higher score are merged first.
    pub scores: Vec<f32>,
    /// 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    pub token_types: Vec<i32>,
    /// The token that begins a prompt.
    pub bos: u32,
    /// The token that ends an answer.
    pub eos: u32,
    /// Whether a text gets a space in front.
    pub add_space_prefix: bool,
}

/// Values of `token_types`.
pub(crate) const NORMAL: i32 = 1;
pub(crate) const UNKNOWN: i32 = 2;
pub(crate) const CONTROL: i32 = 3;
pub(crate) const USER_DEFINED: i32 = 4;
pub(crate) const UNUSED: i32 = 5;
pub(crate) const BYTE: i32 = 6;

impl RawVocab {
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, Problem> {
        Ok(RawVocab {
            model: metadata.text("tokenizer.ggml.model")?.to_owned(),
            tokens: metadata.list("tokenizer.ggml.tokens", |item| match item {
                Value::String(text) => Some(text),
                _ => None,
            })?,
            scores: metadata.list("tokenizer.ggml.scores", |item| match item {
                Value::F32(score) => Some(score),
                _ => None,
            })?,
            token_types: metadata.list("tokenizer.ggml.token_type", |item| i32::try_from(item.integer()?).ok())?,
            bos: metadata.token_id("tokenizer.ggml.bos_token_id")?,
            eos: metadata.token_id("tokenizer.ggml.eos_token_id")?,
            add_space_prefix: metadata.flag("tokenizer.ggml.add_space_prefix", true)?,
        })
    }

    /// The keys that say all this, as they stand in a file.
    pub fn metadata(&self) -> Vec<(String, Value)> {
        let tokens = self.tokens.iter().map(|token| Value::String(token.clone())).collect();
        let scores = self.scores.iter().map(|score| Value::F32(*score)).collect();
        let token_types = self.token_types.iter().map(|kind| Value::I32(*kind)).collect();
        let metadata = [
            ("model", Value::String(self.model.clone())),
            ("tokens", Value::Array(tokens)),
            ("scores", Value::Array(scores)),
            ("token_type", Value::Array(token_types)),
            ("bos_token_id", Value::U32(self.bos)),
            ("eos_token_id", Value::U32(self.eos)),
            ("add_space_prefix", Value::Bool(self.add_space_prefix)),
        ];
        metadata.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect()
    }
}
