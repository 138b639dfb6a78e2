//! The dimensions of a llama-architecture model.

use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};

use super::metadata::{Metadata, integer};
use crate::model::LoadError;

/// Read from the metadata; the tensors are held to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    pub(crate) feed_forward: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) vocab_size: usize,
    pub(crate) context_len: usize,
    pub(crate) rope_base: f32,
    pub(crate) rms_epsilon: f32,
}

impl Shape {
    pub(super) fn read(path: &Path, content: &Content) -> Result<Self, LoadError> {
        let metadata = Metadata { path, content };
        let architecture = metadata.text("general.architecture")?;
        if architecture != "llama" {
            return Err(metadata.bad("general.architecture", format!("{architecture:?}"), "\"llama\""));
        }
        refuse_variants(&metadata)?;
        let hidden = metadata.count("llama.embedding_length", 1 << 16)?;
        let heads = metadata.count("llama.attention.head_count", 1 << 10)?;
        let kv_heads = match metadata.get("llama.attention.head_count_kv") {
            Some(_) => metadata.count("llama.attention.head_count_kv", heads)?,
            None => heads,
        };
        if !heads.is_multiple_of(kv_heads) {
            return Err(metadata.bad("llama.attention.head_count_kv", kv_heads, "a divisor of the head count"));
        }
        let head_dim = match metadata.get("llama.attention.key_length") {
            Some(_) => metadata.count("llama.attention.key_length", 1 << 10)?,
            None => hidden / heads,
        };
        let rotated = match metadata.get("llama.rope.dimension_count") {
            Some(_) => metadata.count("llama.rope.dimension_count", 1 << 10)?,
            None => head_dim,
        };
        if rotated != head_dim || !head_dim.is_multiple_of(2) {
            return Err(metadata.bad("llama.rope.dimension_count", rotated, "the head's whole, even dimension"));
        }
        let window = match metadata.get("llama.attention.sliding_window").and_then(integer) {
            Some(0) | None => usize::MAX,
            Some(_) => metadata.count("llama.attention.sliding_window", usize::MAX)?,
        };
        let Some(Value::Array(tokens)) = metadata.get("tokenizer.ggml.tokens") else {
            return Err(metadata.bad("tokenizer.ggml.tokens", "nothing", "the list of the vocabulary"));
        };
        Ok(Shape {
            name: metadata.text("general.name").unwrap_or("unnamed").to_owned(),
            layers: metadata.count("llama.block_count", 1 << 10)?,
            hidden,
            feed_forward: metadata.count("llama.feed_forward_length", 1 << 20)?,
            heads,
            kv_heads,
            head_dim,
            vocab_size: tokens.len(),
            // Within the window, sliding attention is plain attention.
            context_len: metadata.count("llama.context_length", 1 << 24)?.min(window),
            rope_base: match metadata.get("llama.rope.freq_base") {
                Some(_) => metadata.float("llama.rope.freq_base")?,
                None => 10_000.0,
            },
            rms_epsilon: metadata.float("llama.attention.layer_norm_rms_epsilon")?,
        })
    }
}

/// What the architecture's name also covers, and this backend does not compute.
fn refuse_variants(metadata: &Metadata<'_>) -> Result<(), LoadError> {
    if let Some(experts) = metadata.get("llama.expert_count").and_then(integer).filter(|experts| *experts > 0) {
        return Err(metadata.bad("llama.expert_count", experts, "0: mixtures of experts are not supported"));
    }
    if let Some(Value::String(scaling)) = metadata.get("llama.rope.scaling.type")
        && scaling != "none"
    {
        return Err(metadata.bad("llama.rope.scaling.type", scaling, "none: scaled positions are not supported"));
    }
    if metadata.content.tensor_infos.contains_key("rope_freqs.weight") {
        return Err(metadata.bad("rope_freqs.weight", "a tensor", "none: scaled positions are not supported"));
    }
    Ok(())
}
