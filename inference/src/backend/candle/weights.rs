//! A model's matrices as candle holds them.

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use gguf::{Format, ModelFile, Problem, Shape};
use tracing::warn;

use super::layer::Layer;

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
    /// Several matrices one below the other; held as one where they have one format, so that their common input is
    /// rounded and walked through once.
    fn stacked(parts: &[gguf::Matrix<'_>]) -> Result<Self> {
        let one_format = parts.iter().all(|part| part.format == parts[0].format);
        let stacks: Vec<&[gguf::Matrix<'_>]> = if one_format { vec![parts] } else { parts.chunks(1).collect() };
        stacks.into_iter().map(stack).collect::<Result<_>>().map(Matrix)
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
    /// Reads all tensors, and gives the file's memory back as it goes.
    pub(crate) fn load(file: &ModelFile) -> std::result::Result<Self, gguf::Error> {
        let shape = shape(file.shape());
        if shape.context_len < file.shape().context_len {
            let (window, context_len) = (shape.context_len, file.shape().context_len);
            warn!(
                model = %shape.name, window, context_len,
                "the context ends at the model's sliding window, which only the packed backend computes"
            );
        }
        let damaged = |error: candle_core::Error| Problem::Damaged(error.to_string()).of(file.path());
        let matrix = |names: &[String]| {
            let parts = names.iter().map(|name| file.matrix(name)).collect::<std::result::Result<Vec<_>, _>>()?;
            let matrix = Matrix::stacked(&parts).map_err(damaged)?;
            names.iter().for_each(|name| file.release(name));
            Ok(matrix)
        };
        let vector = |name: &str| Tensor::from_vec(file.vector(name)?, shape.hidden, &Device::Cpu).map_err(damaged);
        let embedding = matrix(&["token_embd.weight".to_owned()])?;
        // Tied: the embedding's rows are the output's, and are held once.
        let output = if file.is_tied() { embedding.clone() } else { matrix(&["output.weight".to_owned()])? };
        let layers = (0..shape.layers).map(|index| {
            let name = |part: &str| format!("blk.{index}.{part}.weight");
            Ok(Layer {
                attention_norm: vector(&name("attn_norm"))?,
                query_key_value: matrix(&["attn_q", "attn_k", "attn_v"].map(name))?,
                attention_output: matrix(&[name("attn_output")])?,
                feed_forward_norm: vector(&name("ffn_norm"))?,
                gate_up: matrix(&["ffn_gate", "ffn_up"].map(name))?,
                down: matrix(&[name("ffn_down")])?,
            })
        });
        let layers = layers.collect::<std::result::Result<Vec<_>, gguf::Error>>()?;
        let output_norm = vector("output_norm.weight")?;
        Ok(CandleModel { shape, embedding, layers, output_norm, output, weight_bytes: file.tensor_bytes() })
    }

    /// Keys and values of one full context of a model.
    pub(crate) fn context_bytes(model: &Shape) -> u64 {
        shape(model).context_len as u64 * kv_bytes_per_token(model)
    }
}

/// As it is computed here. Attention sees everything, which is right as far as the model's window reaches: the context
/// ends there.
fn shape(model: &Shape) -> Shape {
    let context_len = model.context_len.min(model.sliding_window.unwrap_or(usize::MAX));
    Shape { context_len, ..model.clone() }
}

/// KV of one token, all layers.
pub(super) fn kv_bytes_per_token(shape: &Shape) -> u64 {
    (shape.layers * 2 * shape.kv_heads * shape.head_dim * size_of::<f32>()) as u64
}

/// Matrices of one format and one width as one.
fn stack(parts: &[gguf::Matrix<'_>]) -> Result<QMatMul> {
    let (format, columns) = (parts[0].format, parts[0].columns);
    let rows = parts.iter().map(|part| part.rows).sum();
    let bytes = parts.iter().map(|part| part.bytes.as_ref()).collect::<Vec<_>>().concat();
    let Some(format) = quantized(format) else {
        let mut values = vec![0.0; rows * columns];
        format.dequantize(&bytes, &mut values);
        return Tensor::from_vec(values, (rows, columns), &Device::Cpu).map(QMatMul::Tensor);
    };
    let storage = QStorage::from_data(bytes.into(), &Device::Cpu, format)?;
    QMatMul::from_qtensor(QTensor::new(storage, (rows, columns))?)
}

/// Candle's name of a format that it computes with as it is; plain floats become `f32` instead.
fn quantized(format: Format) -> Option<GgmlDType> {
    match format {
        Format::F32 | Format::F16 | Format::BF16 => None,
        Format::Q4_0 => Some(GgmlDType::Q4_0),
        Format::Q8_0 => Some(GgmlDType::Q8_0),
        Format::Q4K => Some(GgmlDType::Q4K),
        Format::Q5K => Some(GgmlDType::Q5K),
        Format::Q6K => Some(GgmlDType::Q6K),
    }
}
