//! Keys and values of all layers, in blocks.

use crate::backend::{BLOCK_TOKENS, BackendError, BlockId};
use gguf::Shape;

/// The pool of blocks. The system gives it memory page by page, as it is written to.
#[derive(Default)]
pub(super) struct Kv {
    layers: Vec<LayerKv>,
    kv_heads: usize,
    head_dim: usize,
    num_blocks: usize,
    /// Blocks below this have been written to.
    num_touched: usize,
}

struct LayerKv {
    /// `[block][kv_head][head_dim][BLOCK_TOKENS]`: positions lie side by side, so that scores need no sum across a
    /// vector.
    keys: Vec<f32>,
    /// `[block][kv_head][BLOCK_TOKENS][head_dim]`.
    values: Vec<f32>,
}

/// One head's keys and values of one sequence.
#[derive(Clone, Copy)]
pub(super) struct HeadKv<'a> {
    layer: &'a LayerKv,
    table: &'a [BlockId],
    kv_heads: usize,
    kv_head: usize,
    head_dim: usize,
}

impl Kv {
    pub(super) fn allocate(shape: &Shape, num_blocks: usize) -> Result<Self, BackendError> {
        let &Shape { kv_heads, head_dim, layers, .. } = shape;
        let floats = num_blocks.checked_mul(kv_heads * head_dim * BLOCK_TOKENS);
        let bytes = floats.and_then(|floats| floats.checked_mul(2 * layers * size_of::<f32>()));
        // Tried first, because a failed allocation of zeros ends the process.
        let fits = bytes.is_some_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
        let Some(floats) = floats.filter(|_| fits) else {
            return Err(BackendError(format!("there is no memory for {num_blocks} blocks of keys and values")));
        };
        let layer = |_| LayerKv { keys: vec![0.0; floats], values: vec![0.0; floats] };
        Ok(Kv { layers: (0..layers).map(layer).collect(), kv_heads, head_dim, num_blocks, num_touched: 0 })
    }

    pub(super) fn num_blocks(&self) -> usize {
        self.num_blocks
    }

    pub(super) fn head<'a>(&'a self, layer: usize, kv_head: usize, table: &'a [BlockId]) -> HeadKv<'a> {
        let &Kv { kv_heads, head_dim, .. } = self;
        HeadKv { layer: &self.layers[layer], table, kv_heads, kv_head, head_dim }
    }

    /// Writes one position: `[kv_head][head_dim]` of each.
    pub(super) fn write(&mut self, layer: usize, position: usize, table: &[BlockId], keys: &[f32], values: &[f32]) {
        let (block, offset) = (table[position / BLOCK_TOKENS].0 as usize, position % BLOCK_TOKENS);
        self.num_touched = self.num_touched.max(block + 1);
        let layer = &mut self.layers[layer];
        let first = block * keys.len() * BLOCK_TOKENS;
        for (lanes, key) in layer.keys[first..].chunks_exact_mut(BLOCK_TOKENS).zip(keys) {
            lanes[offset] = *key;
        }
        let heads = layer.values[first..].chunks_exact_mut(BLOCK_TOKENS * self.head_dim);
        for (head, value) in heads.zip(values.chunks_exact(self.head_dim)) {
            head[offset * self.head_dim..][..self.head_dim].copy_from_slice(value);
        }
    }

    /// Memory of the blocks that have been written to.
    pub(super) fn bytes(&self) -> u64 {
        let floats = 2 * self.layers.len() * self.kv_heads * self.head_dim * BLOCK_TOKENS;
        (self.num_touched * floats * size_of::<f32>()) as u64
    }
}

impl<'a> HeadKv<'a> {
    /// The keys of positions `0..seen`, block by block.
    pub(super) fn keys(self, seen: usize) -> impl Iterator<Item = &'a [f32]> {
        self.places(seen).map(move |(first, _)| &self.layer.keys[first..first + BLOCK_TOKENS * self.head_dim])
    }

    /// The values of positions `0..seen`, block by block; the last block only as far as it is seen.
    pub(super) fn values(self, seen: usize) -> impl Iterator<Item = &'a [f32]> {
        self.places(seen).map(move |(first, rows)| &self.layer.values[first..first + rows * self.head_dim])
    }

    /// Where each block begins, and how many of its positions are seen.
    fn places(self, seen: usize) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        let blocks = self.table[..seen.div_ceil(BLOCK_TOKENS)].iter().enumerate();
        blocks.map(move |(index, block)| {
            let first = (block.0 as usize * self.kv_heads + self.kv_head) * BLOCK_TOKENS * self.head_dim;
            (first, BLOCK_TOKENS.min(seen - index * BLOCK_TOKENS))
        })
    }
}
