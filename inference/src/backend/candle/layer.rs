//! One decoder layer over the rows of a step.

use candle_core::{Result, Tensor};
use candle_nn::ops::{rms_norm, silu};

use super::attention::Attention;
use super::kv::SlotKv;
use super::weights::Matrix;

pub(super) struct Layer {
    pub(super) attention_norm: Tensor,
    pub(super) query: Matrix,
    pub(super) key: Matrix,
    pub(super) value: Matrix,
    pub(super) attention_output: Matrix,
    pub(super) feed_forward_norm: Tensor,
    pub(super) gate: Matrix,
    pub(super) up: Matrix,
    pub(super) down: Matrix,
}

impl Layer {
    pub(super) fn forward(
        &self,
        rows: &Tensor,
        rms_epsilon: f32,
        attention: Attention<'_>,
        slots: &mut [Option<SlotKv>],
    ) -> Result<Tensor> {
        let normed = rms_norm(rows, &self.attention_norm, rms_epsilon)?;
        let query = values(&self.query.multiply(&normed)?)?;
        let key = values(&self.key.multiply(&normed)?)?;
        let value = values(&self.value.multiply(&normed)?)?;
        let width = query.len() / rows.dim(0)?;
        let attended = attention.attend(query, key, &value, slots);
        let attended = Tensor::from_vec(attended, (rows.dim(0)?, width), rows.device())?;
        let rows = (rows + self.attention_output.multiply(&attended)?)?;
        let normed = rms_norm(&rows, &self.feed_forward_norm, rms_epsilon)?;
        let gated = (silu(&self.gate.multiply(&normed)?)? * self.up.multiply(&normed)?)?;
        rows + self.down.multiply(&gated)?
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}
