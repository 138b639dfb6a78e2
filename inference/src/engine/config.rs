//! The engine's limits.

use crate::backend::{BLOCK_TOKENS, BackendError};

/// How much the engine takes on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Sequences that run at the same time.
    pub max_num_seqs: usize,
    /// Rows of one forward pass: decoding sequences first, then pieces of prompts. At least `max_num_seqs`.
    pub max_num_batched_tokens: usize,
    /// Tokens of KV, over all running sequences; each reserves its prompt and its longest answer.
    pub max_kv_tokens: usize,
    /// Requests that may wait; one more is refused as overloaded.
    pub max_waiting: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig { max_num_seqs: 32, max_num_batched_tokens: 512, max_kv_tokens: 32_768, max_waiting: 256 }
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
    /// The backend has no room for the keys and values.
    #[error("the engine cannot start with engine.max_kv_tokens {tokens}; lower it")]
    NoMemory {
        /// `max_kv_tokens`.
        tokens: usize,
        /// What the backend says.
        source: BackendError,
    },
    /// The system gave no thread.
    #[error("the engine's thread cannot be started: {0}; raise the limit on threads")]
    NoThread(String),
}

impl EngineConfig {
    /// Enough that no sequence's last, partly used block takes from another's reservation.
    pub(super) fn num_blocks(&self) -> usize {
        self.max_kv_tokens / BLOCK_TOKENS + self.max_num_seqs
    }

    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let named = [
            ("max_num_seqs", self.max_num_seqs),
            ("max_num_batched_tokens", self.max_num_batched_tokens),
            ("max_kv_tokens", self.max_kv_tokens),
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
