//! A vocabulary as files have it.

use crate::error::Problem;
use crate::metadata::Metadata;
use crate::pre_tokenizer::PreTokenizer;
use crate::value::Value;
use crate::{sentencepiece, tokenizer_json};

/// `tokenizer.*` as it stands in the file; the lists are not held to each other yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawVocab {
    /// The kind of tokenizer: `llama` is SentencePiece BPE, `gpt2` byte-level BPE.
    pub model: String,
    /// Pieces by id.
    pub tokens: Vec<String>,
    /// SentencePiece: pieces of a higher score are merged first.
    pub scores: Vec<f32>,
    /// 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    pub token_types: Vec<i32>,
    /// Byte-level: `left right`, those that are merged first at the beginning.
    pub merges: Vec<String>,
    /// Byte-level: what comes before merging.
    pub pre_tokenizer: Option<PreTokenizer>,
    /// The token that begins a prompt.
    pub bos: u32,
    /// The token that ends an answer.
    pub eos: u32,
    /// Whether a text gets a space in front.
    pub add_space_prefix: bool,
    /// Jinja that makes a prompt of a conversation.
    pub chat_template: Option<String>,
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
        let model = metadata.text("tokenizer.ggml.model")?.to_owned();
        let is_byte_level = model == "gpt2";
        let text = |item| match item {
            Value::String(text) => Some(text),
            _ => None,
        };
        let tokens = metadata.list("tokenizer.ggml.tokens", text)?;
        let scores = if is_byte_level {
            vec![0.0; tokens.len()]
        } else {
            metadata.list("tokenizer.ggml.scores", |item| match item {
                Value::F32(score) => Some(score),
                _ => None,
            })?
        };
        let merges = if is_byte_level { metadata.list("tokenizer.ggml.merges", text)? } else { Vec::new() };
        let pre_tokenizer = match metadata.optional_text("tokenizer.ggml.pre")? {
            name if is_byte_level => Some(PreTokenizer::named(name.unwrap_or("default"))?),
            _ => None,
        };
        Ok(RawVocab {
            model,
            tokens,
            scores,
            token_types: metadata.list("tokenizer.ggml.token_type", |item| i32::try_from(item.integer()?).ok())?,
            merges,
            pre_tokenizer,
            bos: metadata.token_id("tokenizer.ggml.bos_token_id")?,
            eos: metadata.token_id("tokenizer.ggml.eos_token_id")?,
            add_space_prefix: metadata.flag("tokenizer.ggml.add_space_prefix", !is_byte_level)?,
            chat_template: metadata.optional_text("tokenizer.chat_template")?.map(str::to_owned),
        })
    }

    /// By the contents of a `tokenizer.model`, SentencePiece's own file.
    pub fn of_sentencepiece(bytes: &[u8], bos: u32, eos: u32) -> Result<Self, Problem> {
        sentencepiece::read(bytes, bos, eos)
    }

    /// By the contents of a `tokenizer.json`, with at most `max_size` tokens.
    pub fn of_tokenizer_json(bytes: &[u8], bos: u32, eos: u32, max_size: usize) -> Result<Self, Problem> {
        tokenizer_json::read(bytes, bos, eos, max_size)
    }

    /// A SentencePiece vocabulary's keys, as they stand in a file.
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
