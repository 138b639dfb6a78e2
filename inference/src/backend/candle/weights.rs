//! A model's matrices as candle holds them.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Module, Result, Tensor};

use super::layer::Layer;
use crate::gguf::{GgufFile, Shape};
use crate::model::LoadError;

/// Everything that a forward pass reads.
pub(crate) struct CandleModel {
    pub(super) shape: Shape,
    pub(super) embedding: Matrix,
    pub(super) layers: Vec<Layer>,
    pub(super) output_norm: Tensor,
    pub(super) output: Matrix,
    pub(super) weight_bytes: u64,
}

/// A matrix `[out, in]`.
#[derive(Clone)]
pub(super) struct Matrix(QMatMul);

impl Matrix {
    fn new(tensor: Arc<QTensor>) -> Result<Self> {
        QMatMul::from_arc(tensor).map(Matrix)
    }

    /// `rows [n, in]` to `[n, out]`.
    pub(super) fn multiply(&self, rows: &Tensor) -> Result<Tensor> {
        self.0.forward(rows)
    }

    /// One row of the matrix for each id.
    pub(super) fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        self.0.embedding(ids)
    }
}

impl CandleModel {
    /// Reads all tensors; their shapes and sizes are checked by `gguf` before anything is allocated.
    pub(crate) fn load(gguf: &mut GgufFile) -> std::result::Result<Self, LoadError> {
        let shape = gguf.shape().clone();
        let (hidden, feed_forward) = (shape.hidden, shape.feed_forward);
        let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        let embedding = gguf.matrix("token_embd.weight", shape.vocab_size, hidden)?;
        let output = match gguf.has("output.weight") {
            true => gguf.matrix("output.weight", shape.vocab_size, hidden)?,
            // Tied: the embedding's rows are the output's, and are held once.
            false => embedding.clone(),
        };
        let layers = (0..shape.layers).map(|index| {
            let mut matrix = |name: &str, rows, columns| {
                let tensor = gguf.matrix(&format!("blk.{index}.{name}.weight"), rows, columns)?;
                Matrix::new(tensor).map_err(|error| gguf.failed(error))
            };
            let query = matrix("attn_q", queries, hidden)?;
            let key = matrix("attn_k", keys, hidden)?;
            let value = matrix("attn_v", keys, hidden)?;
            let attention_output = matrix("attn_output", hidden, queries)?;
            let gate = matrix("ffn_gate", feed_forward, hidden)?;
            let up = matrix("ffn_up", feed_forward, hidden)?;
            let down = matrix("ffn_down", hidden, feed_forward)?;
            let attention_norm = gguf.vector(&format!("blk.{index}.attn_norm.weight"), hidden)?;
            let feed_forward_norm = gguf.vector(&format!("blk.{index}.ffn_norm.weight"), hidden)?;
            Ok(Layer { attention_norm, query, key, value, attention_output, feed_forward_norm, gate, up, down })
        });
        let layers = layers.collect::<std::result::Result<Vec<_>, LoadError>>()?;
        let output_norm = gguf.vector("output_norm.weight", hidden)?;
        let embedding = Matrix::new(embedding).map_err(|error| gguf.failed(error))?;
        let output = Matrix::new(output).map_err(|error| gguf.failed(error))?;
        let weight_bytes = gguf.tensor_bytes();
        Ok(CandleModel { shape, embedding, layers, output_norm, output, weight_bytes })
    }

    /// KV of one token, all layers.
    pub(crate) fn kv_bytes_per_token(&self) -> u64 {
        let per_layer = 2 * self.shape.kv_heads * self.shape.head_dim * size_of::<f32>();
        (self.shape.layers * per_layer) as u64
    }
}
