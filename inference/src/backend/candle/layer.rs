//! One decoder layer over the rows of a step.

use candle_core::{Result, Tensor};
use candle_nn::ops::rms_norm;

use super::attention::Attention;
use super::kv::Kv;
use super::math::gated;
use super::weights::Matrix;

pub(super) struct Layer {
    pub(super) attention_norm: Tensor,
    pub(super) query_key_value: Matrix,
    pub(super) attention_output: Matrix,
    pub(super) feed_forward_norm: Tensor,
    pub(super) gate_up: Matrix,
    pub(super) down: Matrix,
}

impl Layer {
    pub(super) fn forward(&self, rows: &Tensor, attention: Attention<'_>, kv: &mut Kv) -> Result<Tensor> {
        let shape = attention.shape;
        let normed = rms_norm(rows, &self.attention_norm, shape.rms_epsilon)?;
        let attended = attention.attend(values(&self.query_key_value.multiply(&normed)?)?, kv);
        let attended = tensor(attended, rows)?;
        let rows = (rows + self.attention_output.multiply(&attended)?)?;
        let normed = rms_norm(&rows, &self.feed_forward_norm, shape.rms_epsilon)?;
        let gated = gated(&values(&self.gate_up.multiply(&normed)?)?, shape.feed_forward);
        &rows + self.down.multiply(&tensor(gated, &rows)?)?
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// As many rows as `like` has.
fn tensor(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    let num_rows = like.dim(0)?;
    let width = values.len() / num_rows;
    Tensor::from_vec(values, (num_rows, width), like.device())
}
