//! The portable backend on candle: quantized weights as they lie in the file, KV and attention in plain `f32`.
//!
//! One pass through the linear layers takes the rows of all sequences together; only attention looks at each sequence
//! apart. A row's result does not depend on the other rows: Q8_0 and Q4_K products are summed in a fixed order, and so
//! are norms and attention. (F32, F16 and Q6_K products may differ in the last bits with the number of rows.)
//!
//! Candle's thread pool spins while it waits. Where other work keeps the cores busy, `CANDLE_NUM_THREADS=1` in the
//! environment is faster, by far for small models. On x86, candle also keeps a second, packed copy of quantized
//! matrices, which `memory` does not count.

mod attention;
mod kv;
mod layer;
mod math;
mod weights;

use candle_core::{Device, Tensor};
use candle_nn::ops::rms_norm;

use super::{Backend, BackendError, BackendMemory, Logits, ModelInput};
use attention::{Attention, Rope};
use kv::Kv;
pub(crate) use weights::CandleModel;

/// A model on candle with its keys and values.
pub struct CandleBackend {
    model: CandleModel,
    rope: Rope,
    kv: Kv,
    workspace_bytes: u64,
}

impl CandleBackend {
    pub(crate) fn new(model: CandleModel) -> Self {
        let rope = Rope::new(&model.shape);
        CandleBackend { model, rope, kv: Kv::default(), workspace_bytes: 0 }
    }

    fn pass(&mut self, input: &ModelInput, logits: &mut Logits) -> candle_core::Result<()> {
        let model = &self.model;
        let shape = &model.shape;
        let ids: Vec<u32> = input.token_ids.iter().map(|id| id.0).collect();
        let ids = Tensor::from_vec(ids, input.token_ids.len(), &Device::Cpu)?;
        let angles = self.rope.angles(input);
        let mut rows = model.embedding.embed(&ids)?;
        for (index, layer) in model.layers.iter().enumerate() {
            let attention = Attention { shape, angles: &angles, layer: index, input };
            rows = layer.forward(&rows, attention, &mut self.kv)?;
        }
        let wanted: Vec<u32> = input.rows_with_logits().into_iter().map(|row| row as u32).collect();
        self.workspace_bytes = workspace_bytes(&ids, shape, wanted.len());
        logits.values.clear();
        logits.vocab_size = shape.vocab_size;
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted = Tensor::from_vec(wanted.clone(), wanted.len(), &Device::Cpu)?;
        let rows = rms_norm(&rows.index_select(&wanted, 0)?, &model.output_norm, shape.rms_epsilon)?;
        logits.values = model.output.multiply(&rows)?.flatten_all()?.to_vec1()?;
        Ok(())
    }
}

impl Backend for CandleBackend {
    fn allocate(&mut self, num_blocks: usize) -> Result<(), BackendError> {
        self.kv = Kv::allocate(&self.model.shape, num_blocks)?;
        Ok(())
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        input.check(self.kv.num_blocks())?;
        self.pass(input, logits).map_err(|error| BackendError(error.to_string()))
    }

    fn vocab_size(&self) -> usize {
        self.model.shape.vocab_size
    }

    fn context_len(&self) -> usize {
        self.model.shape.context_len
    }

    fn kv_bytes_per_token(&self) -> u64 {
        weights::kv_bytes_per_token(&self.model.shape)
    }

    fn memory(&self) -> BackendMemory {
        BackendMemory { weights: self.model.weight_bytes, kv: self.kv.bytes(), workspace: self.workspace_bytes }
    }
}

/// The largest buffers that live at the same time: a layer's rows in and out, its feed-forward, the logits.
fn workspace_bytes(ids: &Tensor, shape: &gguf::Shape, num_logits: usize) -> u64 {
    let rows = ids.elem_count() * (2 * shape.hidden + 3 * shape.feed_forward.max(shape.hidden));
    4 * (rows + num_logits * shape.vocab_size) as u64
}
