//! The keys and values of one sequence, contiguous per layer and head.

use crate::gguf::Shape;

/// Positions by which a head's buffers grow.
const CHUNK: usize = 256;

/// All layers of one slot.
pub(super) struct SlotKv {
    layers: Vec<Vec<HeadKv>>,
    head_dim: usize,
}

/// One head of one layer: `[position][head_dim]`, twice.
#[derive(Clone, Default)]
pub(super) struct HeadKv {
    pub(super) keys: Vec<f32>,
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
            append(&mut head.keys, key);
            append(&mut head.values, value);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let floats = self.layers.iter().flatten().map(|head| head.keys.capacity() + head.values.capacity());
        floats.sum::<usize>() as u64 * size_of::<f32>() as u64
    }
}

fn append(buffer: &mut Vec<f32>, part: &[f32]) {
    if buffer.len() == buffer.capacity() {
        buffer.reserve_exact(CHUNK * part.len());
    }
    buffer.extend_from_slice(part);
}
