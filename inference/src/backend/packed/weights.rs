//! A model's matrices, packed for the kernels.

use std::sync::Arc;

use gguf::{ModelFile, Shape};
use kernels::Pool;
use kernels::matmul::{Activations, Kind, Matrix};
use kernels::memory::Arena;

use super::PackError;

/// Everything that a forward pass reads.
pub(crate) struct PackedModel {
    pub(super) shape: Shape,
    pub(super) embedding: Arc<Matrix>,
    pub(super) layers: Vec<Layer>,
    pub(super) output_norm: Vec<f32>,
    pub(super) output: Arc<Matrix>,
}

/// One decoder layer.
pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) query_key_value: [Matrix; 3],
    pub(super) attention_output: Matrix,
    pub(super) feed_forward_norm: Vec<f32>,
    pub(super) gate: Matrix,
    pub(super) up: Matrix,
    pub(super) down: Matrix,
}

impl PackedModel {
    /// Packs all tensors, and gives each one's pages of the file back when that is done. `progress` hears how many of the
    /// file's bytes are packed, at last all of them.
    pub(crate) fn load(file: &ModelFile, pool: &Pool, progress: &dyn Fn(u64)) -> Result<Self, PackError> {
        let shape = file.shape().clone();
        let (mut packed_bytes, mut arena) = (0, Arena::default());
        let mut matrix = |name: &str| {
            let raw = file.matrix(name)?;
            let packed = Matrix::pack(raw.format, &raw.bytes, raw.rows, raw.columns, pool, &mut arena)
                .map_err(|source| PackError::Memory { what: format!("tensor {name}"), source })?;
            packed_bytes += raw.bytes.len() as u64;
            file.release(name);
            progress(packed_bytes);
            Ok::<_, PackError>(packed)
        };
        let embedding = Arc::new(matrix("token_embd.weight")?);
        // Tied: the embedding's rows are the output's, and are held once.
        let output = if file.is_tied() { embedding.clone() } else { Arc::new(matrix("output.weight")?) };
        let mut layers = Vec::with_capacity(shape.layers);
        for index in 0..shape.layers {
            let name = |part: &str| format!("blk.{index}.{part}.weight");
            layers.push(Layer {
                attention_norm: file.vector(&name("attn_norm"))?,
                query_key_value: [matrix(&name("attn_q"))?, matrix(&name("attn_k"))?, matrix(&name("attn_v"))?],
                attention_output: matrix(&name("attn_output"))?,
                feed_forward_norm: file.vector(&name("ffn_norm"))?,
                gate: matrix(&name("ffn_gate"))?,
                up: matrix(&name("ffn_up"))?,
                down: matrix(&name("ffn_down"))?,
            });
        }
        let output_norm = file.vector("output_norm.weight")?;
        // The vectors, too.
        progress(file.tensor_bytes());
        Ok(PackedModel { embedding, layers, output_norm, output, shape })
    }

    /// Memory of all matrices.
    pub(super) fn bytes(&self) -> u64 {
        let layers = self.layers.iter().flat_map(|layer| {
            layer.query_key_value.iter().chain([&layer.attention_output, &layer.gate, &layer.up, &layer.down])
        });
        let output = (!Arc::ptr_eq(&self.output, &self.embedding)).then_some(&*self.output);
        layers.chain([&*self.embedding]).chain(output).map(|matrix| matrix.bytes() as u64).sum()
    }

    /// Buffers for the inputs of the matrices that take a layer's normed rows, what attention gives, and what the gate
    /// lets through.
    pub(super) fn activations(&self) -> [Activations; 3] {
        let kinds = |matrices: fn(&Layer) -> Vec<&Matrix>| -> Vec<Kind> {
            self.layers.iter().flat_map(matrices).map(Matrix::kind).collect()
        };
        let mut normed = kinds(|layer| layer.query_key_value.iter().chain([&layer.gate, &layer.up]).collect());
        normed.push(self.output.kind());
        [normed, kinds(|layer| vec![&layer.attention_output]), kinds(|layer| vec![&layer.down])]
            .map(|kinds| Activations::new(&kinds))
    }
}
