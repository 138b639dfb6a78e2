//! The keys and values of one sequence, contiguous per layer and head.

use crate::gguf::Shape;

/// Positions whose scores are computed side by side.
pub(super) const LANES: usize = 16;
/// Positions by which a head's buffers grow.
const GROWTH: usize = 256;

/// All layers of one slot.
pub(super) struct SlotKv {
    layers: Vec<Vec<HeadKv>>,
    head_dim: usize,
}

/// One head of one layer.
#[derive(Clone, Default)]
pub(super) struct HeadKv {
    /// `[block][head_dim][LANES]`: positions lie side by side, so that scores need no sum across a vector.
    pub(super) keys: Vec<f32>,
    /// `[position][head_dim]`.
    pub(super) values: Vec<f32>,
}

impl SlotKv {
    pub(super) fn new(shape: &Shape) -> Self {
        let layers = vec![vec![HeadKv::default(); shape.kv_heads]; shape.layers];
        SlotKv { layers, head_dim: shape.head_dim }
    }

    /// Positions that every layer holds.
    pub(super) fn len(&self) -> usize {
        let last = self.layers.last().and_then(|heads| heads.last());
        last.map_or(0, |head| head.values.len() / self.head_dim)
    }

    pub(super) fn head(&self, layer: usize, head: usize) -> &HeadKv {
        &self.layers[layer][head]
    }

    /// Appends one position: `[kv_head][head_dim]` of each.
    pub(super) fn push(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        let parts = keys.chunks_exact(self.head_dim).zip(values.chunks_exact(self.head_dim));
        for (head, (key, value)) in self.layers[layer].iter_mut().zip(parts) {
            head.push(key, value);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let floats = self.layers.iter().flatten().map(|head| head.keys.capacity() + head.values.capacity());
        floats.sum::<usize>() as u64 * size_of::<f32>() as u64
    }
}

impl HeadKv {
    fn push(&mut self, key: &[f32], value: &[f32]) {
        let position = self.values.len() / value.len();
        if position.is_multiple_of(GROWTH) {
            self.keys.reserve_exact(GROWTH * key.len());
            self.values.reserve_exact(GROWTH * value.len());
        }
        if position.is_multiple_of(LANES) {
            self.keys.resize(self.keys.len() + LANES * key.len(), 0.0);
        }
        let block = position / LANES * LANES * key.len();
        for (lanes, value) in self.keys[block..].chunks_exact_mut(LANES).zip(key) {
            lanes[position % LANES] = *value;
        }
        self.values.extend_from_slice(value);
    }
}
