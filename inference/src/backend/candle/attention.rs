//! Rotary positions and causal attention over slices, each sequence over its own KV. Grouped heads share their keys.
//! Every sum runs over positions in ascending order, so a row's result does not depend on how a prompt was cut.

use std::sync::OnceLock;

use candle_core::utils::barrier_pool;

use super::kv::{HeadKv, SlotKv};
use crate::backend::{ModelInput, Span};
use crate::gguf::Shape;

/// Rows that one piece of work takes; small enough to spread one long prompt over all cores.
const ROWS_PER_TASK: usize = 16;
/// Partial sums of a dot product; the compiler keeps them in vector registers.
const LANES: usize = 16;

/// Frequencies of the rotation, pairs `(2i, 2i + 1)` as GGUF's llama architecture has them.
pub(super) struct Rope {
    inverse_frequencies: Vec<f32>,
}

/// Cosine and sine of each row and pair.
pub(super) struct Angles {
    pairs: Vec<(f32, f32)>,
    per_row: usize,
}

impl Rope {
    pub(super) fn new(shape: &Shape) -> Self {
        let width = shape.head_dim as f32;
        let frequency = |pair: usize| 1.0 / shape.rope_base.powf(2.0 * pair as f32 / width);
        Rope { inverse_frequencies: (0..shape.head_dim / 2).map(frequency).collect() }
    }

    pub(super) fn angles(&self, input: &ModelInput) -> Angles {
        let positions = input.spans.iter().flat_map(|span| span.position..span.position + span.num_rows);
        let row = |position: usize| {
            self.inverse_frequencies.iter().map(move |frequency| {
                let (sin, cos) = (position as f32 * frequency).sin_cos();
                (cos, sin)
            })
        };
        Angles { pairs: positions.flat_map(row).collect(), per_row: self.inverse_frequencies.len() }
    }
}

impl Angles {
    /// Turns every head of every row.
    fn rotate(&self, rows: &mut [f32], row_width: usize) {
        for (row, angles) in rows.chunks_exact_mut(row_width).zip(self.pairs.chunks_exact(self.per_row)) {
            for head in row.chunks_exact_mut(2 * self.per_row) {
                for (pair, (cos, sin)) in head.chunks_exact_mut(2).zip(angles) {
                    let (a, b) = (pair[0], pair[1]);
                    pair[0] = a * cos - b * sin;
                    pair[1] = a * sin + b * cos;
                }
            }
        }
    }
}

/// One layer's attention in one step.
pub(super) struct Attention<'a> {
    pub(super) shape: &'a Shape,
    pub(super) angles: &'a Angles,
    pub(super) layer: usize,
    pub(super) spans: &'a [Span],
}

/// Some rows of one sequence, for the query heads that share one key head.
struct Task<'a> {
    kv: &'a HeadKv,
    kv_head: usize,
    first_row: usize,
    num_rows: usize,
    first_position: usize,
}

impl Attention<'_> {
    /// Appends the rows' keys and values, and gives what the rows see: `[row][head][head_dim]`.
    pub(super) fn attend(
        &self,
        mut queries: Vec<f32>,
        mut keys: Vec<f32>,
        values: &[f32],
        slots: &mut [Option<SlotKv>],
    ) -> Vec<f32> {
        let Shape { heads, kv_heads, head_dim, .. } = *self.shape;
        self.angles.rotate(&mut queries, heads * head_dim);
        self.angles.rotate(&mut keys, kv_heads * head_dim);
        self.append(&keys, values, slots);
        let tasks = self.tasks(slots);
        let results: Vec<OnceLock<Vec<f32>>> = tasks.iter().map(|_| OnceLock::new()).collect();
        barrier_pool().execute_chunked(tasks.len(), |range| {
            for index in range {
                let _ = results[index].set(self.attend_task(&tasks[index], &queries));
            }
        });
        let group = heads / kv_heads;
        let mut attended = queries;
        for (task, result) in tasks.iter().zip(results) {
            let result = result.into_inner().unwrap_or_default();
            for (row, part) in (task.first_row..).zip(result.chunks_exact(group * head_dim)) {
                let at = (row * heads + task.kv_head * group) * head_dim;
                attended[at..at + group * head_dim].copy_from_slice(part);
            }
        }
        attended
    }

    fn append(&self, keys: &[f32], values: &[f32], slots: &mut [Option<SlotKv>]) {
        let width = self.shape.kv_heads * self.shape.head_dim;
        let mut rows = keys.chunks_exact(width).zip(values.chunks_exact(width));
        for span in self.spans {
            let Some(kv) = &mut slots[span.slot.0] else { continue };
            for (key, value) in rows.by_ref().take(span.num_rows) {
                kv.push(self.layer, key, value);
            }
        }
    }

    fn tasks<'s>(&self, slots: &'s [Option<SlotKv>]) -> Vec<Task<'s>> {
        let mut tasks = Vec::new();
        let mut span_row = 0;
        for span in self.spans {
            let Some(kv) = &slots[span.slot.0] else { continue };
            for offset in (0..span.num_rows).step_by(ROWS_PER_TASK) {
                tasks.extend((0..self.shape.kv_heads).map(|kv_head| Task {
                    kv: kv.head(self.layer, kv_head),
                    kv_head,
                    first_row: span_row + offset,
                    num_rows: ROWS_PER_TASK.min(span.num_rows - offset),
                    first_position: span.position + offset,
                }));
            }
            span_row += span.num_rows;
        }
        tasks
    }

    fn attend_task(&self, task: &Task<'_>, queries: &[f32]) -> Vec<f32> {
        let Shape { heads, kv_heads, head_dim, .. } = *self.shape;
        let group = heads / kv_heads;
        let mut result = vec![0.0; task.num_rows * group * head_dim];
        let mut scores = Vec::with_capacity(task.first_position + task.num_rows);
        for (index, sum) in result.chunks_exact_mut(head_dim).enumerate() {
            let (row, head) = (index / group, task.kv_head * group + index % group);
            let at = ((task.first_row + row) * heads + head) * head_dim;
            let seen = (task.first_position + row + 1) * head_dim;
            let query = &queries[at..at + head_dim];
            attend_row(query, &task.kv.keys[..seen], &task.kv.values[..seen], &mut scores, sum);
        }
        result
    }
}

/// Softmax of the scores of all keys, then the values by their shares.
fn attend_row(query: &[f32], keys: &[f32], values: &[f32], scores: &mut Vec<f32>, sum: &mut [f32]) {
    let scale = (query.len() as f32).sqrt().recip();
    scores.clear();
    scores.extend(keys.chunks_exact(query.len()).map(|key| dot(query, key) * scale));
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - largest).exp();
        total += *score;
    }
    for (score, value) in scores.iter().zip(values.chunks_exact(sum.len())) {
        for (sum, value) in sum.iter_mut().zip(value) {
            *sum += score * value;
        }
    }
    for sum in sum {
        *sum /= total;
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + rest
}
