//! Typed reading of a GGUF's keys.

use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};

use crate::model::LoadError;
use crate::tokenizer::RawVocab;

/// Keys of one file.
pub(super) struct Metadata<'a> {
    pub(super) path: &'a Path,
    pub(super) content: &'a Content,
}

impl<'a> Metadata<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.content.metadata.get(key)
    }

    pub(super) fn need(&self, key: &str) -> Result<&'a Value, LoadError> {
        self.get(key).ok_or_else(|| LoadError::MissingKey { path: self.path.to_owned(), key: key.to_owned() })
    }

    pub(super) fn bad(&self, key: &str, found: impl ToString, expected: &'static str) -> LoadError {
        LoadError::BadKey { path: self.path.to_owned(), key: key.to_owned(), found: found.to_string(), expected }
    }

    /// A count: from 1 to `max`.
    pub(super) fn count(&self, key: &str, max: usize) -> Result<usize, LoadError> {
        let value = self.need(key)?;
        let number = integer(value).ok_or_else(|| self.bad(key, kind(value), "an integer"))?;
        match usize::try_from(number) {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(self.bad(key, number, "a positive number of a size that models have")),
        }
    }

    pub(super) fn float(&self, key: &str) -> Result<f32, LoadError> {
        let value = self.need(key)?;
        let float = match value {
            Value::F32(float) => Some(*float),
            Value::F64(float) => Some(*float as f32),
            _ => None,
        };
        float.filter(|float| float.is_finite()).ok_or_else(|| self.bad(key, kind(value), "a finite number"))
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, LoadError> {
        match self.need(key)? {
            Value::String(text) => Ok(text),
            other => Err(self.bad(key, kind(other), "a string")),
        }
    }

    fn id(&self, key: &str) -> Result<u32, LoadError> {
        let value = self.need(key)?;
        let id = integer(value).and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| self.bad(key, kind(value), "a token id"))
    }

    fn list<T>(&self, key: &str, item: impl Fn(&'a Value) -> Option<T>) -> Result<Vec<T>, LoadError> {
        let value = self.need(key)?;
        let Value::Array(items) = value else {
            return Err(self.bad(key, kind(value), "a list"));
        };
        let read: Option<Vec<T>> = items.iter().map(item).collect();
        read.ok_or_else(|| self.bad(key, "a list of another type", "the type that the format prescribes"))
    }
}

/// `tokenizer.ggml.*`.
pub(crate) fn vocab(path: &Path, content: &Content) -> Result<RawVocab, LoadError> {
    let metadata = Metadata { path, content };
    let flag = |key: &str, default| match metadata.get(key) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(metadata.bad(key, kind(other), "true or false")),
    };
    Ok(RawVocab {
        model: metadata.text("tokenizer.ggml.model")?.to_owned(),
        tokens: metadata.list("tokenizer.ggml.tokens", |item| match item {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })?,
        scores: metadata.list("tokenizer.ggml.scores", |item| match item {
            Value::F32(score) => Some(*score),
            _ => None,
        })?,
        token_types: metadata
            .list("tokenizer.ggml.token_type", |item| integer(item).and_then(|number| i32::try_from(number).ok()))?,
        bos: metadata.id("tokenizer.ggml.bos_token_id")?,
        eos: metadata.id("tokenizer.ggml.eos_token_id")?,
        add_space_prefix: flag("tokenizer.ggml.add_space_prefix", true)?,
    })
}

/// Any integer, of whatever width.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::I8(number) => Some((*number).into()),
        Value::I16(number) => Some((*number).into()),
        Value::I32(number) => Some((*number).into()),
        Value::I64(number) => Some(*number),
        other => other.to_u64().ok().and_then(|number| i64::try_from(number).ok()),
    }
}

fn kind(value: &Value) -> String {
    format!("a value of type {:?}", value.value_type())
}
