//! The seam between the engine and what computes: ids and places in, rows of numbers out, no tensors. A backend keeps
//! the KV of each slot and nothing else of a sequence.

mod candle;

pub use candle::CandleBackend;
pub(crate) use candle::CandleModel;

use crate::tokenizer::TokenId;

/// A sequence's place in the backend while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub usize);

/// One step's work: the rows of all sequences, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelInput {
    /// The tokens of all spans.
    pub token_ids: Vec<TokenId>,
    /// Which rows belong to which sequence, in the order of `token_ids`; a slot occurs at most once.
    pub spans: Vec<Span>,
}

/// A sequence's rows in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where its KV is.
    pub slot: SlotId,
    /// Position of its first row: so many tokens of the slot are computed already.
    pub position: usize,
    /// How many rows.
    pub num_rows: usize,
    /// Whether the last row's logits are wanted.
    pub logits: bool,
}

/// For each span that wants logits, in order, one row as long as the vocabulary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logits {
    /// The rows, one after the other.
    pub values: Vec<f32>,
    /// The length of a row.
    pub vocab_size: usize,
}

impl Logits {
    /// The rows, to be masked and sampled in place.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.vocab_size.max(1))
    }
}

/// A forward pass that failed. The KV of its slots is to be taken as lost.
#[derive(Debug, thiserror::Error)]
#[error("forward pass failed: {0}")]
pub struct BackendError(pub String);

/// What computes.
pub trait Backend: Send {
    /// One pass over all rows. Appends to the KV of every slot of the input.
    fn forward(&mut self, input: &ModelInput) -> Result<Logits, BackendError>;

    /// The slot's sequence is gone; its KV can be dropped.
    fn free(&mut self, slot: SlotId);

    /// Length of a row of logits.
    fn vocab_size(&self) -> usize;

    /// Positions that a sequence can have.
    fn context_len(&self) -> usize;

    /// Memory that one token of a running sequence takes.
    fn kv_bytes_per_token(&self) -> u64;

    /// What it holds in memory now.
    fn memory(&self) -> BackendMemory;
}

/// Bytes by use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendMemory {
    /// Weights, as they lie in the file.
    pub weights: u64,
    /// KV of all slots.
    pub kv: u64,
    /// Buffers of a step.
    pub workspace: u64,
}
