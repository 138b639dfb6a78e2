//! One forward pass: all rows of a step through all layers.

use kernels::attention::Sequence;
use kernels::matmul::{Activations, Then, multiply, multiply_gated};
use kernels::ops::{Angles, rms_norm};
use kernels::pool::Disjoint;
use kernels::{Level, Pool};

use super::PackedBackend;
use super::weights::PackedModel;
use crate::backend::{BLOCK_TOKENS, Logits, ModelInput};

/// What a pass writes to; kept from step to step.
pub(super) struct Buffers {
    /// `[row][hidden]`: what layers add to.
    hidden: Vec<f32>,
    /// `[row][queries | keys | values]`.
    query_key_value: Vec<f32>,
    /// `[row][head][head_dim]`.
    attended: Vec<f32>,
    /// `[row][feed_forward]`.
    gated: Vec<f32>,
    normed_inputs: Activations,
    attended_inputs: Activations,
    gated_inputs: Activations,
    angles: Angles,
    tables: Vec<u32>,
    /// Where each row's key and value go: block and place in it.
    places: Vec<(u32, usize)>,
}

impl Buffers {
    pub(super) fn new(model: &PackedModel) -> Self {
        let [normed_inputs, attended_inputs, gated_inputs] = model.activations();
        Buffers {
            hidden: Vec::new(),
            query_key_value: Vec::new(),
            attended: Vec::new(),
            gated: Vec::new(),
            normed_inputs,
            attended_inputs,
            gated_inputs,
            angles: Angles::default(),
            tables: Vec::new(),
            places: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let floats = [&self.hidden, &self.query_key_value, &self.attended, &self.gated];
        let floats: usize = floats.map(|buffer| buffer.capacity() * size_of::<f32>()).iter().sum();
        let inputs = [&self.normed_inputs, &self.attended_inputs, &self.gated_inputs];
        (floats + inputs.map(Activations::bytes).iter().sum::<usize>()) as u64
    }
}

impl PackedBackend {
    pub(super) fn pass(&mut self, input: &ModelInput, logits: &mut Logits) {
        let wanted = input.rows_with_logits();
        self.begin(input);
        for layer in 0..self.model.layers.len() {
            self.attend(layer);
            if layer + 1 == self.model.layers.len() {
                // From here on a row concerns only itself, and only these are asked for.
                keep(&mut self.buffers.hidden, self.model.shape.hidden, &wanted);
                keep(&mut self.buffers.attended, self.model.shape.heads * self.model.shape.head_dim, &wanted);
            }
            self.feed_forward(layer);
        }
        logits.vocab_size = self.model.shape.vocab_size;
        logits.values.resize(wanted.len() * logits.vocab_size, 0.0);
        let Buffers { hidden, normed_inputs, .. } = &mut self.buffers;
        let model = &self.model;
        let norm = Norm { level: self.level, weight: &model.output_norm, epsilon: model.shape.rms_epsilon };
        norm.fill(normed_inputs, &self.pool, hidden);
        multiply(self.level, &self.pool, &[&model.output], normed_inputs, Then::Store, &mut logits.values);
    }

    /// Embeds the tokens and lays out where their rows stand.
    fn begin(&mut self, input: &ModelInput) {
        let Buffers { hidden, query_key_value, attended, angles, tables, places, .. } = &mut self.buffers;
        let (shape, num_rows) = (&self.model.shape, input.token_ids.len());
        let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        hidden.resize(num_rows * shape.hidden, 0.0);
        query_key_value.resize(num_rows * (queries + 2 * keys), 0.0);
        attended.resize(num_rows * queries, 0.0);
        for (row, id) in hidden.chunks_exact_mut(shape.hidden).zip(&input.token_ids) {
            self.model.embedding.row(id.0 as usize, row);
        }
        tables.clear();
        tables.extend(input.block_ids.iter().map(|block| block.0));
        places.clear();
        for span in &input.spans {
            let positions = span.position..span.position + span.num_rows;
            let table = &tables[span.first_block..][..span.num_blocks];
            places.extend(positions.map(|position| (table[position / BLOCK_TOKENS], position % BLOCK_TOKENS)));
        }
        let positions = input.spans.iter().flat_map(|span| span.position..span.position + span.num_rows);
        self.rope.angles(positions, angles);
        let sequences = input.spans.iter().map(|span| Sequence {
            position: span.position,
            num_rows: span.num_rows,
            blocks: &tables[span.first_block..][..span.num_blocks],
        });
        self.attention.plan(sequences, self.pool.threads());
    }

    /// Keys and values of all rows go into their blocks, then each row attends.
    fn attend(&mut self, index: usize) {
        let Buffers { hidden, query_key_value, attended, normed_inputs, angles, places, .. } = &mut self.buffers;
        let (shape, layer, level, pool) = (&self.model.shape, &self.model.layers[index], self.level, &self.pool);
        let norm = Norm { level, weight: &layer.attention_norm, epsilon: shape.rms_epsilon };
        norm.fill(normed_inputs, pool, hidden);
        let matrices = layer.query_key_value.each_ref();
        multiply(level, pool, &matrices, normed_inputs, Then::Store, query_key_value);

        let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        let row_width = queries + 2 * keys;
        let rows = Disjoint::new(query_key_value);
        let writer = self.kv.writer();
        pool.run(places.len(), places.len().div_ceil(2 * pool.threads()), &|range| {
            for row in range {
                // SAFETY: every row is taken once.
                #[allow(unsafe_code)]
                let values = unsafe { rows.slice(row * row_width..(row + 1) * row_width) };
                let (turned, values) = values.split_at_mut(queries + keys);
                angles.rotate(level, row, turned);
                // The store keeps only numbers; a row without them must not give an answer.
                if !turned[queries..].iter().chain(&*values).all(|value| value.is_finite()) {
                    turned[..queries].fill(f32::NAN);
                }
                let (block, slot) = places[row];
                writer.append(index, block, slot, &turned[queries..], values);
            }
        });
        self.attention.attend(&self.kv, index, query_key_value, row_width, attended, pool);
    }

    /// What attention gave is added to the rows, and then what the feed-forward part makes of them.
    fn feed_forward(&mut self, index: usize) {
        let Buffers { hidden, attended, gated, normed_inputs, attended_inputs, gated_inputs, .. } = &mut self.buffers;
        let (shape, layer, level, pool) = (&self.model.shape, &self.model.layers[index], self.level, &self.pool);
        attended_inputs.fill(level, pool, attended, shape.heads * shape.head_dim);
        multiply(level, pool, &[&layer.attention_output], attended_inputs, Then::Add, hidden);
        let norm = Norm { level, weight: &layer.feed_forward_norm, epsilon: shape.rms_epsilon };
        norm.fill(normed_inputs, pool, hidden);
        gated.resize(normed_inputs.rows() * shape.feed_forward, 0.0);
        multiply_gated(level, pool, &layer.gate, &layer.up, normed_inputs, gated);
        gated_inputs.fill(level, pool, gated, shape.feed_forward);
        multiply(level, pool, &[&layer.down], gated_inputs, Then::Add, hidden);
    }
}

/// A norm, on its way into products.
struct Norm<'a> {
    level: Level,
    weight: &'a [f32],
    epsilon: f32,
}

impl Norm<'_> {
    fn fill(&self, inputs: &mut Activations, pool: &Pool, rows: &[f32]) {
        let width = self.weight.len();
        inputs.fill_with(self.level, pool, rows.len() / width, width, &|row, out| {
            rms_norm(self.level, &rows[row * width..][..width], self.weight, self.epsilon, out);
        });
    }
}

/// Moves the rows `wanted`, which are in ascending order, to the front and drops the others.
fn keep(rows: &mut Vec<f32>, width: usize, wanted: &[usize]) {
    for (to, from) in wanted.iter().enumerate() {
        rows.copy_within(from * width..(from + 1) * width, to * width);
    }
    rows.truncate(wanted.len() * width);
}
