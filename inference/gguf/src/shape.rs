//! The dimensions of a llama-architecture model, and the tensors that follow from them.

use std::iter;

use crate::error::Problem;
use crate::metadata::{Metadata, bad};
use crate::value::Value;

/// Read from the metadata; the tensors are held to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// What the model calls itself.
    pub name: String,
    /// Decoder layers.
    pub layers: usize,
    /// Width of a row between layers.
    pub hidden: usize,
    /// Width of a row inside the feed-forward part.
    pub feed_forward: usize,
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values: a divisor of `heads`.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Number of tokens.
    pub vocab_size: usize,
    /// Positions that the model was made for.
    pub context_len: usize,
    /// How far back a position sees, itself included; `None` is all the way.
    pub sliding_window: Option<usize>,
    /// Base of the rotation's frequencies.
    pub rope_base: f32,
    /// What is added below the root of a norm.
    pub rms_epsilon: f32,
}

/// The names under which a kind of file keeps the dimensions.
pub(crate) struct Keys {
    pub(crate) layers: &'static str,
    pub(crate) hidden: &'static str,
    pub(crate) feed_forward: &'static str,
    pub(crate) heads: &'static str,
    pub(crate) kv_heads: &'static str,
    pub(crate) key_len: &'static str,
    pub(crate) context_len: &'static str,
    pub(crate) sliding_window: &'static str,
    pub(crate) rope_base: &'static str,
    pub(crate) rms_epsilon: &'static str,
}

const GGUF: Keys = Keys {
    layers: "llama.block_count",
    hidden: "llama.embedding_length",
    feed_forward: "llama.feed_forward_length",
    heads: "llama.attention.head_count",
    kv_heads: "llama.attention.head_count_kv",
    key_len: "llama.attention.key_length",
    context_len: "llama.context_length",
    sliding_window: "llama.attention.sliding_window",
    rope_base: "llama.rope.freq_base",
    rms_epsilon: "llama.attention.layer_norm_rms_epsilon",
};

/// No head is wider.
const MAX_HEAD_DIM: usize = 1 << 10;

impl Shape {
    pub(crate) fn of_gguf(metadata: &Metadata, vocab_size: usize) -> Result<Self, Problem> {
        let architecture = metadata.text("general.architecture")?;
        if architecture != "llama" {
            return Err(bad("general.architecture", format!("{architecture:?}"), "\"llama\""));
        }
        refuse_variants(metadata)?;
        let name = metadata.text("general.name").unwrap_or("unnamed").to_owned();
        let shape = Shape::read(metadata, &GGUF, name, vocab_size)?;
        let key = "llama.rope.dimension_count";
        let rotated = metadata.optional_count(key, MAX_HEAD_DIM)?.unwrap_or(shape.head_dim);
        if rotated != shape.head_dim {
            return Err(bad(key, rotated, "the head's whole, even dimension"));
        }
        let key = "llama.attention.value_length";
        let value_len = metadata.optional_count(key, MAX_HEAD_DIM)?.unwrap_or(shape.head_dim);
        if value_len != shape.head_dim {
            return Err(bad(key, value_len, "the length of a key"));
        }
        Ok(shape)
    }

    pub(crate) fn read(metadata: &Metadata, keys: &Keys, name: String, vocab_size: usize) -> Result<Self, Problem> {
        let hidden = metadata.count(keys.hidden, 1 << 16)?;
        let heads = metadata.count(keys.heads, 1 << 10)?;
        let key_len = metadata.optional_count(keys.key_len, MAX_HEAD_DIM)?;
        if key_len.is_none() && !hidden.is_multiple_of(heads) {
            return Err(bad(keys.heads, heads, "a divisor of the hidden size"));
        }
        let head_dim = key_len.unwrap_or(hidden / heads);
        if !head_dim.is_multiple_of(2) {
            return Err(bad(keys.heads, heads, "heads of an even dimension"));
        }
        let kv_heads = metadata.optional_count(keys.kv_heads, heads)?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            return Err(bad(keys.kv_heads, kv_heads, "a divisor of the head count"));
        }
        Ok(Shape {
            name,
            layers: metadata.count(keys.layers, 1 << 10)?,
            hidden,
            feed_forward: metadata.count(keys.feed_forward, 1 << 20)?,
            heads,
            kv_heads,
            head_dim,
            vocab_size,
            context_len: metadata.count(keys.context_len, 1 << 24)?,
            sliding_window: metadata.optional_count(keys.sliding_window, usize::MAX)?,
            rope_base: match metadata.get(keys.rope_base) {
                Some(_) => metadata.float(keys.rope_base)?,
                None => 10_000.0,
            },
            rms_epsilon: metadata.float(keys.rms_epsilon)?,
        })
    }

    /// The keys that say all this, as they stand in a file.
    pub fn metadata(&self) -> Vec<(String, Value)> {
        let mut metadata = vec![
            ("general.architecture".to_owned(), Value::String("llama".to_owned())),
            ("general.name".to_owned(), Value::String(self.name.clone())),
            ("llama.attention.layer_norm_rms_epsilon".to_owned(), Value::F32(self.rms_epsilon)),
            ("llama.rope.freq_base".to_owned(), Value::F32(self.rope_base)),
        ];
        let counts = [
            ("llama.context_length", self.context_len),
            ("llama.embedding_length", self.hidden),
            ("llama.block_count", self.layers),
            ("llama.feed_forward_length", self.feed_forward),
            ("llama.attention.head_count", self.heads),
            ("llama.attention.head_count_kv", self.kv_heads),
            ("llama.attention.key_length", self.head_dim),
            ("llama.attention.value_length", self.head_dim),
            ("llama.rope.dimension_count", self.head_dim),
            ("llama.vocab_size", self.vocab_size),
        ];
        let window = self.sliding_window.map(|window| ("llama.attention.sliding_window", window));
        metadata
            .extend(counts.into_iter().chain(window).map(|(key, count)| (key.to_owned(), Value::U32(count as u32))));
        metadata
    }

    /// Names and dimensions `[out, in]` or `[length]` of all tensors, in the order in which they are used;
    /// `output.weight` is last, and may be missing where the embedding takes its place.
    pub fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let &Shape { hidden, feed_forward, vocab_size, .. } = self;
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let layer = move |index: usize| {
            let parts = [
                ("attn_norm", vec![hidden]),
                ("attn_q", vec![queries, hidden]),
                ("attn_k", vec![keys, hidden]),
                ("attn_v", vec![keys, hidden]),
                ("attn_output", vec![hidden, queries]),
                ("ffn_norm", vec![hidden]),
                ("ffn_gate", vec![feed_forward, hidden]),
                ("ffn_up", vec![feed_forward, hidden]),
                ("ffn_down", vec![hidden, feed_forward]),
            ];
            parts.map(|(part, dims)| (format!("blk.{index}.{part}.weight"), dims))
        };
        let first = (EMBEDDING.to_owned(), vec![vocab_size, hidden]);
        let last = [("output_norm.weight".to_owned(), vec![hidden]), (OUTPUT.to_owned(), vec![vocab_size, hidden])];
        iter::once(first).chain((0..self.layers).flat_map(layer)).chain(last)
    }
}

pub(crate) const EMBEDDING: &str = "token_embd.weight";
pub(crate) const OUTPUT: &str = "output.weight";
/// What a factor on positions has to be.
pub(crate) const UNSCALED: &str = "1: scaled positions are not supported";

/// What the architecture's name also covers, and is not computed here.
fn refuse_variants(metadata: &Metadata) -> Result<(), Problem> {
    let experts = "llama.expert_count";
    if let Some(count) = metadata.get(experts).and_then(Value::integer).filter(|count| *count > 0) {
        return Err(bad(experts, count, "0: mixtures of experts are not supported"));
    }
    let scaling = "llama.rope.scaling.type";
    if metadata.get(scaling).is_some() && metadata.text(scaling)? != "none" {
        return Err(bad(scaling, metadata.text(scaling)?, "none: scaled positions are not supported"));
    }
    for factor in ["llama.rope.scaling.factor", "llama.rope.scale_linear"] {
        metadata.no_factor(factor, UNSCALED)?;
    }
    Ok(())
}
