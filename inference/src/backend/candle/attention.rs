//! Rotary positions and causal attention over slices, each sequence over its own KV. Grouped heads share their keys.
//! Every sum runs over positions in ascending order, so a row's result does not depend on how a prompt was cut.

use std::ops::Range;
use std::sync::OnceLock;

use candle_core::utils::barrier_pool;

use super::kv::{HeadKv, Kv};
use super::math::exp;
use crate::backend::{BLOCK_TOKENS, ModelInput};
use gguf::Shape;

/// Rows that one piece of work takes; small enough to spread one long prompt over all cores.
const ROWS_PER_TASK: usize = 16;
/// Columns of the values that are summed side by side, in registers.
const STRIP: usize = 32;
/// Below so many products of a key with a query, waking the other cores takes longer than they save.
const MIN_SHARED_WORK: usize = 4096;

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
    /// Turns the heads that stand at the front of each row, the first `width` of its values.
    fn rotate(&self, rows: &mut [f32], row_width: usize, width: usize) {
        for (row, angles) in rows.chunks_exact_mut(row_width).zip(self.pairs.chunks_exact(self.per_row)) {
            for head in row[..width].chunks_exact_mut(2 * self.per_row) {
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
    pub(super) input: &'a ModelInput,
}

/// Some rows of one sequence, for the query heads that share one key head.
struct Task<'a> {
    kv: HeadKv<'a>,
    kv_head: usize,
    first_row: usize,
    num_rows: usize,
    first_position: usize,
}

impl Attention<'_> {
    /// Takes rows `[queries | keys | values]`, appends keys and values, and gives what the rows see:
    /// `[row][head][head_dim]`.
    pub(super) fn attend(&self, mut rows: Vec<f32>, kv: &mut Kv) -> Vec<f32> {
        let Shape { heads, kv_heads, head_dim, .. } = *self.shape;
        let (queries, keys) = (heads * head_dim, kv_heads * head_dim);
        let row_width = queries + 2 * keys;
        self.angles.rotate(&mut rows, row_width, queries + keys);
        self.append(&rows, row_width, kv);
        let tasks = self.tasks(kv);
        let results: Vec<OnceLock<Vec<f32>>> = tasks.iter().map(|_| OnceLock::new()).collect();
        let run = |range: Range<usize>| {
            for index in range {
                let _ = results[index].set(self.attend_task(&tasks[index], &rows, row_width));
            }
        };
        if tasks.iter().map(|task| task.num_rows * task.first_position).sum::<usize>() < MIN_SHARED_WORK {
            run(0..tasks.len());
        } else {
            barrier_pool().execute_chunked(tasks.len(), run);
        }
        let mut attended = vec![0.0; rows.len() / row_width * queries];
        let group = queries / kv_heads;
        for (task, result) in tasks.iter().zip(results) {
            let result = result.into_inner().unwrap_or_default();
            for (row, part) in (task.first_row..).zip(result.chunks_exact(group)) {
                let at = row * queries + task.kv_head * group;
                attended[at..at + group].copy_from_slice(part);
            }
        }
        attended
    }

    fn append(&self, rows: &[f32], row_width: usize, kv: &mut Kv) {
        let keys = self.shape.kv_heads * self.shape.head_dim;
        let mut rows = rows.chunks_exact(row_width).map(|row| row[row_width - 2 * keys..].split_at(keys));
        for span in &self.input.spans {
            let table = self.input.table(span);
            for (position, (keys, values)) in (span.position..).zip(rows.by_ref().take(span.num_rows)) {
                kv.write(self.layer, position, table, keys, values);
            }
        }
    }

    fn tasks<'s>(&'s self, kv: &'s Kv) -> Vec<Task<'s>> {
        let mut tasks = Vec::new();
        let mut span_row = 0;
        for span in &self.input.spans {
            let table = self.input.table(span);
            for offset in (0..span.num_rows).step_by(ROWS_PER_TASK) {
                tasks.extend((0..self.shape.kv_heads).map(|kv_head| Task {
                    kv: kv.head(self.layer, kv_head, table),
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

    fn attend_task(&self, task: &Task<'_>, rows: &[f32], row_width: usize) -> Vec<f32> {
        let Shape { heads, kv_heads, head_dim, .. } = *self.shape;
        let group = heads / kv_heads;
        let mut result = vec![0.0; task.num_rows * group * head_dim];
        let mut scores = Vec::with_capacity((task.first_position + task.num_rows).div_ceil(BLOCK_TOKENS));
        for (index, sum) in result.chunks_exact_mut(head_dim).enumerate() {
            let (row, head) = (index / group, task.kv_head * group + index % group);
            let at = (task.first_row + row) * row_width + head * head_dim;
            let query = &rows[at..at + head_dim];
            let seen = task.first_position + row + 1;
            score(query, task.kv.keys(seen), &mut scores);
            let total = soften(&mut scores, seen);
            blend(&scores, || task.kv.values(seen), total, sum);
        }
        result
    }
}

/// The products of the query with keys in blocks; beyond the last position they are not meaningful.
fn score<'a>(query: &[f32], keys: impl Iterator<Item = &'a [f32]>, scores: &mut Vec<[f32; BLOCK_TOKENS]>) {
    let scale = (query.len() as f32).sqrt().recip();
    scores.clear();
    scores.extend(keys.map(|block| {
        let mut sums = [0.0; BLOCK_TOKENS];
        for (query, keys) in query.iter().zip(block.as_chunks::<BLOCK_TOKENS>().0) {
            for (sum, key) in sums.iter_mut().zip(keys) {
                *sum += query * key;
            }
        }
        sums.map(|sum| sum * scale)
    }));
}

/// Turns scores into weights, relative to the largest; gives their sum.
fn soften(scores: &mut [[f32; BLOCK_TOKENS]], seen: usize) -> f32 {
    scores.as_flattened_mut()[seen..].fill(f32::NEG_INFINITY);
    let mut largest = [f32::NEG_INFINITY; BLOCK_TOKENS];
    for scores in scores.iter() {
        for (largest, score) in largest.iter_mut().zip(scores) {
            *largest = largest.max(*score);
        }
    }
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    for score in scores.as_flattened_mut() {
        *score = exp(*score - largest);
    }
    scores.as_flattened_mut()[seen..].fill(0.0);
    let mut totals = [0.0; BLOCK_TOKENS];
    for weights in scores.iter() {
        for (total, weight) in totals.iter_mut().zip(weights) {
            *total += weight;
        }
    }
    totals.into_iter().sum()
}

/// Adds up the values by their weights, strip by strip of their columns; `sum` is zero before.
fn blend<'a, V>(weights: &[[f32; BLOCK_TOKENS]], values: impl Fn() -> V, total: f32, sum: &mut [f32])
where
    V: Iterator<Item = &'a [f32]>,
{
    let head_dim = sum.len();
    let (strips, rest) = sum.as_chunks_mut::<STRIP>();
    let first_of_rest = head_dim - rest.len();
    for (index, strip) in strips.iter_mut().enumerate() {
        // A local array stays in registers.
        let mut sums = [0.0; STRIP];
        for (weights, block) in weights.iter().zip(values()) {
            for (weight, value) in weights.iter().zip(block.chunks_exact(head_dim)) {
                let value = &value.as_chunks::<STRIP>().0[index];
                for (sum, value) in sums.iter_mut().zip(value) {
                    *sum += weight * value;
                }
            }
        }
        *strip = sums.map(|sum| sum / total);
    }
    if rest.is_empty() {
        return;
    }
    for (weights, block) in weights.iter().zip(values()) {
        for (weight, value) in weights.iter().zip(block.chunks_exact(head_dim)) {
            for (sum, value) in rest.iter_mut().zip(&value[first_of_rest..]) {
                *sum += weight / total * value;
            }
        }
    }
}
