//! The fast backend of x86-64: plain buffers and our own integer kernels, on a private pool of threads.
//!
//! Weights are read from memory once per step, however many rows it has. A row's result does not depend on the other
//! rows, to the last bit: activations are rounded row by row, integer sums are exact, and floats are summed in an order
//! that the row's own position decides.

mod pass;
mod weights;

use std::num::NonZeroUsize;

use gguf::ModelFile;
use kernels::attention::{Attention, AttentionShape};
use kernels::kv::{BLOCK, Kv, KvKind, KvShape};
use kernels::ops::Rope;
use kernels::{Level, Pool, UnknownLevel};

use super::{BLOCK_TOKENS, Backend, BackendError, BackendMemory, Logits, ModelInput};
use pass::Buffers;
use weights::PackedModel;

const _: () = assert!(BLOCK == BLOCK_TOKENS);

/// A packed model with its keys and values.
pub struct PackedBackend {
    model: PackedModel,
    level: Level,
    pool: Pool,
    rope: Rope,
    attention: Attention,
    kv: Kv,
    /// By block: whether it was ever written, and so takes memory.
    written: Vec<bool>,
    buffers: Buffers,
}

impl PackedBackend {
    /// Whether this processor has more than the plain kernels, and the model fits their shapes.
    pub(crate) fn runs(file: &ModelFile) -> bool {
        Level::available().count() > 1 && file.shape().head_dim.is_multiple_of(16)
    }

    /// Packs the model. `progress` hears how many of the file's bytes are done.
    pub(crate) fn load(
        file: &ModelFile,
        threads: NonZeroUsize,
        kv: KvKind,
        progress: &dyn Fn(u64),
    ) -> Result<Self, PackError> {
        let level = Level::detect()?;
        let pool = Pool::new(threads).map_err(PackError::Threads)?;
        let model = PackedModel::load(file, &pool, progress)?;
        let shape = &model.shape;
        let kv_shape =
            KvShape { num_layers: shape.layers, num_kv_heads: shape.kv_heads, head_dim: shape.head_dim, kind: kv };
        let attention_shape = AttentionShape {
            num_heads: shape.heads,
            num_kv_heads: shape.kv_heads,
            head_dim: shape.head_dim,
            window: shape.sliding_window,
        };
        Ok(PackedBackend {
            level,
            rope: Rope::new(shape.head_dim, shape.rope_base),
            attention: Attention::new(level, attention_shape),
            kv: Kv::new(kv_shape, 0)
                .map_err(|source| PackError::Memory { what: "keys and values".to_owned(), source })?,
            written: Vec::new(),
            buffers: Buffers::new(&model),
            pool,
            model,
        })
    }
}

/// Why a model could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A tensor.
    #[error(transparent)]
    File(#[from] gguf::Error),
    /// `TALON_CPU_LEVEL` says what cannot be.
    #[error(transparent)]
    Level(#[from] UnknownLevel),
    /// The system gave no memory.
    #[error("the system refuses memory for {what}; use a smaller model or a machine with more")]
    Memory {
        /// What it was for.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system gave no threads.
    #[error("the engine's threads cannot be started; raise the limit on threads")]
    Threads(#[source] std::io::Error),
}

impl Backend for PackedBackend {
    fn allocate(&mut self, num_blocks: usize) -> Result<(), BackendError> {
        let shape = *self.kv.shape();
        let refused = |error| {
            let bytes = (num_blocks * BLOCK_TOKENS * shape.bytes_per_token()) as u64;
            BackendError(format!("the system refuses {} MiB for keys and values: {error}", bytes >> 20))
        };
        self.kv = Kv::new(shape, num_blocks).map_err(refused)?;
        self.written = vec![false; num_blocks];
        Ok(())
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        input.check(self.kv.num_blocks())?;
        for span in &input.spans {
            let blocks = &input.table(span)[span.position / BLOCK_TOKENS..];
            blocks.iter().for_each(|block| self.written[block.0 as usize] = true);
        }
        self.pass(input, logits);
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        self.model.shape.vocab_size
    }

    fn context_len(&self) -> usize {
        self.model.shape.context_len
    }

    fn kv_bytes_per_token(&self) -> u64 {
        self.kv.shape().bytes_per_token() as u64
    }

    fn memory(&self) -> BackendMemory {
        let blocks = self.written.iter().filter(|written| **written).count();
        BackendMemory {
            weights: self.model.bytes(),
            kv: (blocks * BLOCK_TOKENS) as u64 * self.kv_bytes_per_token(),
            workspace: self.buffers.bytes(),
        }
    }
}
