//! A model's matrices as candle holds them.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Result, Tensor};

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

/// A matrix `[out, in]`; in parts where matrices that take the same input differ in format.
#[derive(Clone)]
pub(super) struct Matrix(Vec<QMatMul>);

impl Matrix {
    fn new(tensor: Arc<QTensor>) -> Result<Self> {
        Ok(Matrix(vec![QMatMul::from_arc(tensor)?]))
    }

    /// Several matrices one below the other, so that their common input is rounded and walked through once.
    fn stacked(tensors: Vec<Arc<QTensor>>) -> Result<Self> {
        let format = tensors.first().map(|tensor| tensor.dtype());
        if !tensors.iter().all(|tensor| Some(tensor.dtype()) == format) {
            return tensors.into_iter().map(QMatMul::from_arc).collect::<Result<_>>().map(Matrix);
        }
        let (mut bytes, mut rows, mut columns) = (Vec::new(), 0, 0);
        for tensor in &tensors {
            bytes.extend_from_slice(&tensor.data()?);
            let (tensor_rows, tensor_columns) = tensor.shape().dims2()?;
            rows += tensor_rows;
            columns = tensor_columns;
        }
        let storage = QStorage::from_data(bytes.into(), &Device::Cpu, format.unwrap_or(GgmlDType::F32))?;
        Matrix::new(Arc::new(QTensor::new(storage, (rows, columns))?))
    }

    /// `rows [n, in]` to `[n, out]`.
    pub(super) fn multiply(&self, rows: &Tensor) -> Result<Tensor> {
        match self.0.as_slice() {
            [whole] => whole.forward(rows),
            parts => {
                let parts = parts.iter().map(|part| part.forward(rows)).collect::<Result<Vec<_>>>()?;
                Tensor::cat(&parts, 1)
            }
        }
    }

    /// One row of the matrix for each id.
    pub(super) fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        self.0[0].embedding(ids)
    }
}

impl CandleModel {
    /// Reads all tensors; their shapes and sizes are checked by `gguf` before anything is allocated.
    pub(crate) fn load(gguf: &mut GgufFile) -> std::result::Result<Self, LoadError> {
        let shape = gguf.shape().clone();
        let (hidden, feed_forward) = (shape.hidden, shape.feed_forward);
        let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        let embedding = gguf.matrix("token_embd.weight", shape.vocab_size, hidden)?;
        let embedding = Matrix::new(embedding).map_err(|error| gguf.failed(error))?;
        let output = if gguf.has("output.weight") {
            let output = gguf.matrix("output.weight", shape.vocab_size, hidden)?;
            Matrix::new(output).map_err(|error| gguf.failed(error))?
        } else {
            // Tied: the embedding's rows are the output's, and are held once.
            embedding.clone()
        };
        let layers = (0..shape.layers).map(|index| {
            let mut matrix =
                |name: &str, rows, columns| gguf.matrix(&format!("blk.{index}.{name}.weight"), rows, columns);
            let query_key_value = vec![
                matrix("attn_q", queries, hidden)?,
                matrix("attn_k", keys, hidden)?,
                matrix("attn_v", keys, hidden)?,
            ];
            let attention_output = matrix("attn_output", hidden, queries)?;
            let gate_up = vec![matrix("ffn_gate", feed_forward, hidden)?, matrix("ffn_up", feed_forward, hidden)?];
            let down = matrix("ffn_down", hidden, feed_forward)?;
            Ok(Layer {
                attention_norm: gguf.vector(&format!("blk.{index}.attn_norm.weight"), hidden)?,
                query_key_value: Matrix::stacked(query_key_value).map_err(|error| gguf.failed(error))?,
                attention_output: Matrix::new(attention_output).map_err(|error| gguf.failed(error))?,
                feed_forward_norm: gguf.vector(&format!("blk.{index}.ffn_norm.weight"), hidden)?,
                gate_up: Matrix::stacked(gate_up).map_err(|error| gguf.failed(error))?,
                down: Matrix::new(down).map_err(|error| gguf.failed(error))?,
            })
        });
        let layers = layers.collect::<std::result::Result<Vec<_>, LoadError>>()?;
        let output_norm = gguf.vector("output_norm.weight", hidden)?;
        let weight_bytes = gguf.tensor_bytes();
        Ok(CandleModel { shape, embedding, layers, output_norm, output, weight_bytes })
    }

    /// KV of one token, all layers.
    pub(crate) fn kv_bytes_per_token(&self) -> u64 {
        let per_layer = 2 * self.shape.kv_heads * self.shape.head_dim * size_of::<f32>();
        (self.shape.layers * per_layer) as u64
    }
}
