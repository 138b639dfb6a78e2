//! The engine's limits.

use crate::backend::{BLOCK_TOKENS, BackendError};

/// How much the engine takes on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Sequences that run at the same time.
    pub max_num_seqs: usize,
    /// Rows of one forward pass: decoding sequences first, then pieces of prompts. At least `max_num_seqs`.
    pub max_num_batched_tokens: usize,
    /// Memory for keys and values, over all sequences: those that run, and prefixes that are kept for others.
    pub kv_cache_bytes: u64,
    /// Requests that may wait; one more is refused as overloaded.
    pub max_waiting: usize,
    /// The most tokens that a sequence is guessed to go on with in one step; 0 for no speculation. What is generated is
    /// the same.
    pub max_draft_tokens: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            max_num_seqs: 32,
            max_num_batched_tokens: 512,
            kv_cache_bytes: 512 << 20,
            max_waiting: 256,
            max_draft_tokens: 12,
        }
    }
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// A limit that allows nothing.
    #[error("engine.{0} is 0 but must be at least 1")]
    Zero(&'static str),
    /// A step could not even decode every running sequence.
    #[error(
        "engine.max_num_batched_tokens is {batched} but must be at least engine.max_num_seqs ({seqs}); raise it or lower the other"
    )]
    BatchTooSmall {
        /// `max_num_batched_tokens`.
        batched: usize,
        /// `max_num_seqs`.
        seqs: usize,
    },
    /// Not even one block fits.
    #[error("engine.kv_cache_bytes is {bytes} but one block of {BLOCK_TOKENS} tokens takes {block_bytes}; raise it")]
    KvTooSmall {
        /// `kv_cache_bytes`.
        bytes: u64,
        /// What a block of this model takes.
        block_bytes: u64,
    },
    /// The backend has no room for the keys and values.
    #[error("the engine cannot start with engine.kv_cache_bytes {bytes}; lower it")]
    NoMemory {
        /// `kv_cache_bytes`.
        bytes: u64,
        /// What the backend says.
        source: BackendError,
    },
    /// The system gave no thread.
    #[error("the engine's threads cannot be started: {0}; raise the limit on threads")]
    NoThread(String),
}

impl EngineConfig {
    /// Blocks of this model that the KV budget holds.
    pub(super) fn num_blocks(&self, kv_bytes_per_token: u64) -> Result<usize, InvalidConfig> {
        let block_bytes = (kv_bytes_per_token * BLOCK_TOKENS as u64).max(1);
        match usize::try_from(self.kv_cache_bytes / block_bytes) {
            Ok(0) => Err(InvalidConfig::KvTooSmall { bytes: self.kv_cache_bytes, block_bytes }),
            // Ids of blocks are this wide.
            num_blocks => Ok(num_blocks.map_or(u32::MAX as usize, |num_blocks| num_blocks.min(u32::MAX as usize))),
        }
    }

    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let named = [
            ("max_num_seqs", self.max_num_seqs),
            ("max_num_batched_tokens", self.max_num_batched_tokens),
            ("max_waiting", self.max_waiting),
        ];
        if let Some((name, _)) = named.into_iter().find(|(_, value)| *value == 0) {
            return Err(InvalidConfig::Zero(name));
        }
        if self.max_num_batched_tokens < self.max_num_seqs {
            let (batched, seqs) = (self.max_num_batched_tokens, self.max_num_seqs);
            return Err(InvalidConfig::BatchTooSmall { batched, seqs });
        }
        Ok(())
    }
}
