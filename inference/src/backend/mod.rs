//! The seam between the engine and what computes: ids and places in, rows of numbers out, no tensors. Keys and values lie
//! in blocks of a fixed number of tokens; the engine says which block holds what, the backend only reads and writes them.

mod candle;
mod packed;

pub use candle::CandleBackend;
pub(crate) use candle::CandleModel;
pub use packed::{PackError, PackedBackend};

use crate::tokenizer::TokenId;

/// Tokens whose keys and values one block holds.
pub const BLOCK_TOKENS: usize = 16;

/// A block of the backend's keys and values, below the number that was allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

/// One step's work: the rows of all sequences, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelInput {
    /// The tokens of all spans.
    pub token_ids: Vec<TokenId>,
    /// The block tables of all spans. Spans may share blocks that none of them writes to.
    pub block_ids: Vec<BlockId>,
    /// Which rows belong to which sequence, in the order of `token_ids`.
    pub spans: Vec<Span>,
}

/// A sequence's rows in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Position of its first row: so many of its tokens are computed already.
    pub position: usize,
    /// How many rows.
    pub num_rows: usize,
    /// Where its block table begins in `block_ids`.
    pub first_block: usize,
    /// Length of the table, which covers positions `0..position + num_rows`.
    pub num_blocks: usize,
    /// Of so many of its last rows, the logits are wanted.
    pub num_logits: usize,
}

impl ModelInput {
    /// Empties it; its memory stays.
    pub fn clear(&mut self) {
        self.token_ids.clear();
        self.block_ids.clear();
        self.spans.clear();
    }

    /// Adds the rows of a sequence: `token_ids` from `position` on, over the blocks of `table`; wants the logits of the
    /// last `num_logits` of them.
    pub fn push(&mut self, position: usize, token_ids: &[TokenId], table: &[BlockId], num_logits: usize) {
        let (first_block, num_blocks) = (self.block_ids.len(), table.len());
        self.spans.push(Span { position, num_rows: token_ids.len(), first_block, num_blocks, num_logits });
        self.token_ids.extend_from_slice(token_ids);
        self.block_ids.extend_from_slice(table);
    }

    /// The places of the rows whose logits are wanted.
    pub(crate) fn rows_with_logits(&self) -> Vec<usize> {
        let mut end = 0;
        let mut wanted = Vec::new();
        for span in &self.spans {
            end += span.num_rows;
            wanted.extend(end - span.num_logits..end);
        }
        wanted
    }

    /// Whether its tables name blocks that exist and are long enough.
    pub(crate) fn check(&self, num_blocks: usize) -> Result<(), BackendError> {
        if let Some(block) = self.block_ids.iter().find(|block| block.0 as usize >= num_blocks) {
            return Err(BackendError(format!("block {} is not among the {num_blocks} that were allocated", block.0)));
        }
        let is_short = |span: &&Span| span.num_blocks * BLOCK_TOKENS < span.position + span.num_rows;
        match self.spans.iter().find(is_short) {
            Some(span) => Err(BackendError(format!("a block table is too short: {span:?}"))),
            None => Ok(()),
        }
    }

    /// A span's block table.
    pub fn table(&self, span: &Span) -> &[BlockId] {
        &self.block_ids[span.first_block..span.first_block + span.num_blocks]
    }
}

/// For each row whose logits are wanted, in order, one row as long as the vocabulary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logits {
    /// The rows, one after the other.
    pub values: Vec<f32>,
    /// The length of a row.
    pub vocab_size: usize,
}

impl Logits {
    /// A row, to be masked and sampled in place; none if the backend gave too few.
    pub(crate) fn row_mut(&mut self, index: usize) -> Option<&mut [f32]> {
        self.values.chunks_exact_mut(self.vocab_size.max(1)).nth(index)
    }
}

/// What did not work. After a failed pass, the blocks that it was to write hold nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BackendError(pub String);

/// What computes.
pub trait Backend: Send {
    /// Makes room for keys and values. Called once, before the first pass; memory may be committed as it is used.
    fn allocate(&mut self, num_blocks: usize) -> Result<(), BackendError>;

    /// One pass over all rows. Writes their keys and values into their blocks, and overwrites `logits`.
    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError>;

    /// Length of a row of logits.
    fn vocab_size(&self) -> usize;

    /// Positions that a sequence can have.
    fn context_len(&self) -> usize;

    /// Memory that the keys and values of one token take.
    fn kv_bytes_per_token(&self) -> u64;

    /// What it holds in memory now.
    fn memory(&self) -> BackendMemory;
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    fn allocate(&mut self, num_blocks: usize) -> Result<(), BackendError> {
        (**self).allocate(num_blocks)
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        (**self).forward(input, logits)
    }

    fn vocab_size(&self) -> usize {
        (**self).vocab_size()
    }

    fn context_len(&self) -> usize {
        (**self).context_len()
    }

    fn kv_bytes_per_token(&self) -> u64 {
        (**self).kv_bytes_per_token()
    }

    fn memory(&self) -> BackendMemory {
        (**self).memory()
    }
}

/// Bytes by use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendMemory {
    /// Matrices, as the backend holds them.
    pub weights: u64,
    /// Blocks that have been written to, and so hold memory.
    pub kv: u64,
    /// Buffers of a step.
    pub workspace: u64,
}
