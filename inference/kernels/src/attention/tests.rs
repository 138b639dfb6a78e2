#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;

use super::*;
use crate::kv::KvShape;
use crate::ops::simd::tests::noise;

const LLAMA: AttentionShape = AttentionShape { num_heads: 8, num_kv_heads: 2, head_dim: 64, window: None };

/// Sequences with keys and values for all of their positions, in blocks that are spread over the store.
struct Case {
    shape: AttentionShape,
    kv: Kv,
    tables: Vec<Vec<u32>>,
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    queries: Vec<Vec<f32>>,
}

/// Rows of one sequence: sequence, first position, number.
type Rows = (usize, usize, usize);

impl Case {
    fn new(shape: AttentionShape, kind: KvKind, lens: &[usize], loudness: f32) -> Case {
        let num_blocks: Vec<usize> = lens.iter().map(|len| len.div_ceil(BLOCK)).collect();
        let total: usize = num_blocks.iter().sum();
        let mut tables: Vec<Vec<u32>> = lens.iter().map(|_| Vec::new()).collect();
        let mut next = 0;
        for index in 0..num_blocks.iter().copied().max().unwrap() {
            for (table, num_blocks) in tables.iter_mut().zip(&num_blocks) {
                if index < *num_blocks {
                    table.push(total as u32 - 1 - next);
                    next += 1;
                }
            }
        }
        let kv_shape = KvShape { num_layers: 2, num_kv_heads: shape.num_kv_heads, head_dim: shape.head_dim, kind };
        let mut kv = Kv::new(kv_shape, total).unwrap();
        let (q_width, kv_width) = (shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim);
        let rows = |seed: usize, width: usize, loudness: f32| -> Vec<Vec<f32>> {
            let rows = lens.iter().enumerate();
            let rows = rows.map(|(index, len)| noise((100 * seed + index + 1) as u64, len * width));
            rows.map(|rows| rows.into_iter().map(|x| x * loudness).collect()).collect()
        };
        let (queries, keys, values) = (rows(1, q_width, loudness), rows(2, kv_width, loudness), rows(3, kv_width, 1.0));
        let writer = kv.writer();
        for (sequence, table) in tables.iter().enumerate() {
            let tokens = keys[sequence].chunks(kv_width).zip(values[sequence].chunks(kv_width));
            for (position, (key, value)) in tokens.enumerate() {
                writer.append(1, table[position / BLOCK], position % BLOCK, key, value);
            }
        }
        Case { shape, kv, tables, keys, values, queries }
    }

    fn attend(&self, level: Level, num_threads: usize, rows: &[Rows]) -> Vec<f32> {
        let width = self.shape.num_heads * self.shape.head_dim;
        let pool = Pool::new(NonZeroUsize::new(num_threads).unwrap()).unwrap();
        let mut attention = Attention::new(level, self.shape);
        let sequences = rows.iter().map(|(sequence, position, num_rows)| Sequence {
            position: *position,
            num_rows: *num_rows,
            blocks: &self.tables[*sequence],
        });
        attention.plan(sequences, num_threads);
        let mut queries = Vec::new();
        for (sequence, position, num_rows) in rows {
            for row in self.queries[*sequence][position * width..][..num_rows * width].chunks(width) {
                queries.extend_from_slice(row);
                queries.extend([f32::NAN; 5]);
            }
        }
        let mut out = vec![f32::NAN; queries.len() / (width + 5) * width];
        attention.attend(&self.kv, 1, &queries, width + 5, &mut out, &pool);
        out
    }

    /// In `f64`, from keys and values that were never rounded.
    fn exact(&self, (sequence, position, num_rows): Rows) -> Vec<f64> {
        let AttentionShape { num_heads, num_kv_heads, head_dim, window } = self.shape;
        let mut out = Vec::new();
        for position in position..position + num_rows {
            for head in 0..num_heads {
                let of = |rows: &[f32], position: usize, heads: usize, head: usize| -> Vec<f64> {
                    let row = &rows[(position * heads + head) * head_dim..][..head_dim];
                    row.iter().map(|x| f64::from(*x)).collect()
                };
                let kv_head = head / (num_heads / num_kv_heads);
                let query = of(&self.queries[sequence], position, num_heads, head);
                let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
                let score = |seen: usize| {
                    let key = of(&self.keys[sequence], seen, num_kv_heads, kv_head);
                    query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>() / (head_dim as f64).sqrt()
                };
                let scores: Vec<f64> = (first..=position).map(score).collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
                let mut sum = vec![0.0; head_dim];
                for (seen, score) in (first..).zip(&scores) {
                    let weight = (score - largest).exp() / total;
                    let value = of(&self.values[sequence], seen, num_kv_heads, kv_head);
                    sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
                }
                out.extend(sum);
            }
        }
        out
    }
}

#[track_caller]
fn check_close(case: &Case, rows: &[Rows], tolerance: f64) {
    let expected: Vec<f64> = rows.iter().flat_map(|rows| case.exact(*rows)).collect();
    let out = case.attend(Level::Scalar, 1, rows);
    assert_eq!(out.len(), expected.len());
    for (index, (out, expected)) in out.iter().zip(&expected).enumerate() {
        assert!((f64::from(*out) - expected).abs() < tolerance, "{:?} {index}: {out}, {expected}", case.shape);
    }
    for level in Level::available() {
        for num_threads in [1, 3] {
            assert_eq!(case.attend(level, num_threads, rows), out, "{level:?}, {num_threads} threads");
        }
    }
}

#[test]
fn heads_of_any_size_and_group_are_close_to_exact_and_the_same_at_every_level() {
    for (group, num_kv_heads, head_dim) in [(1, 3, 32), (2, 1, 48), (3, 2, 96), (7, 1, 80), (8, 2, 64), (16, 1, 256)] {
        let shape = AttentionShape { num_heads: group * num_kv_heads, num_kv_heads, head_dim, window: None };
        let case = Case::new(shape, KvKind::F16, &[40, 17, 1], 2.0);
        check_close(&case, &[(0, 0, 40), (1, 16, 1), (2, 0, 1)], 1e-3);
    }
}

#[test]
fn rows_at_the_borders_of_partitions_are_close_to_exact() {
    let case = Case::new(LLAMA, KvKind::F16, &[PARTITION + 2, 3 * PARTITION, 2 * PARTITION + 300], 2.0);
    let rows = [(0, PARTITION - 2, 4), (1, 3 * PARTITION - 1, 1), (2, 2 * PARTITION, 30)];
    check_close(&case, &rows, 1e-3);
}

#[test]
fn rows_with_a_window_see_what_is_in_it() {
    for window in [1, 15, 16, 100, PARTITION, PARTITION + 1] {
        let case = Case::new(AttentionShape { window: Some(window), ..LLAMA }, KvKind::F16, &[2 * PARTITION + 10], 2.0);
        check_close(&case, &[(0, 0, 20), (0, PARTITION - 5, 21), (0, 2 * PARTITION + 9, 1)], 1e-3);
    }
}

#[test]
fn a_row_is_the_same_in_any_chunk_and_company() {
    let case = Case::new(LLAMA, KvKind::F16, &[700, 60], 2.0);
    let windowed = Case::new(AttentionShape { window: Some(100), ..LLAMA }, KvKind::F16, &[700, 60], 2.0);
    for case in [case, windowed] {
        for level in Level::available() {
            let whole = case.attend(level, 1, &[(0, 0, 700)]);
            for cuts in [vec![0, 1, 2, 500, 700], vec![0, 511, 513, 700], (0..=700).collect()] {
                let mut parts = Vec::new();
                for cut in cuts.windows(2) {
                    let rows = [(1, 50, 3), (0, cut[0], cut[1] - cut[0]), (1, 59, 1)];
                    let out = case.attend(level, 1 + cut[0] % 2, &rows);
                    let width = LLAMA.num_heads * LLAMA.head_dim;
                    parts.extend_from_slice(&out[3 * width..out.len() - width]);
                }
                assert_eq!(parts, whole, "{level:?}");
            }
        }
    }
}

#[test]
fn what_lies_behind_a_sequence_changes_nothing() {
    let mut case = Case::new(LLAMA, KvKind::F16, &[200], 2.0);
    let before = case.attend(Level::Scalar, 1, &[(0, 100, 5)]);
    let table = case.tables[0].clone();
    for position in 105..200 {
        case.kv.writer().append(1, table[position / BLOCK], position % BLOCK, &[f32::NAN; 128], &[f32::INFINITY; 128]);
    }
    for level in Level::available() {
        assert_eq!(case.attend(level, 1, &[(0, 100, 5)]), before, "{level:?}");
    }
}

#[test]
fn extreme_scores_give_numbers() {
    for loudness in [1e4, 1e18, 3e38] {
        for kind in [KvKind::F16, KvKind::Int8] {
            let case = Case::new(LLAMA, kind, &[PARTITION + 100], loudness);
            for level in Level::available() {
                let out = case.attend(level, 1, &[(0, 0, 30), (0, PARTITION + 90, 10)]);
                assert!(out.iter().all(|x| x.abs() <= 1.001), "{loudness}, {level:?}");
            }
        }
    }
}

#[test]
fn a_query_that_is_no_number_spoils_its_own_row_alone() {
    let mut case = Case::new(LLAMA, KvKind::F16, &[PARTITION + 100], 1.0);
    let width = LLAMA.num_heads * LLAMA.head_dim;
    let rows = (0, PARTITION + 20, 3);
    let before = case.attend(Level::Scalar, 1, &[rows]);
    case.queries[0][(PARTITION + 21) * width..][..width].fill(f32::NAN);
    for level in Level::available() {
        let out = case.attend(level, 1, &[rows]);
        assert_eq!(out[..width], before[..width], "{level:?}");
        assert!(out[width..2 * width].iter().all(|value| value.is_nan()), "{level:?}");
        assert_eq!(out[2 * width..], before[2 * width..], "{level:?}");
    }
}

#[test]
fn bytes_are_nearly_as_good() {
    for head_dim in [32, 64, 80] {
        let shape = AttentionShape { head_dim, window: None, ..LLAMA };
        let case = Case::new(shape, KvKind::Int8, &[40, PARTITION + 30], 1.0);
        check_close(&case, &[(0, 0, 40), (1, PARTITION + 20, 5)], 1e-2);
    }
}

#[test]
fn one_instance_serves_steps_of_any_size() {
    let case = Case::new(LLAMA, KvKind::F16, &[3000], 2.0);
    let width = LLAMA.num_heads * LLAMA.head_dim;
    let pool = Pool::new(NonZeroUsize::new(2).unwrap()).unwrap();
    let mut attention = Attention::new(Level::Scalar, LLAMA);
    for (position, num_rows) in [(2999, 1), (0, 20), (1000, 1), (0, 0), (2990, 2)] {
        attention.plan([Sequence { position, num_rows, blocks: &case.tables[0] }], 2);
        let mut out = vec![0.0; num_rows * width];
        attention.attend(&case.kv, 1, &case.queries[0][position * width..], width, &mut out, &pool);
        assert_eq!(out, case.attend(Level::Scalar, 1, &[(0, position, num_rows)]));
    }
}
