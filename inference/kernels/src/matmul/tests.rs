//! Every level gives the reference's bits, whatever else is computed at the same time; the reference is close to exact
//! arithmetic.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;

use gguf::Format;
use half::f16;

use super::layout::GROUP;
use super::*;
use crate::memory::Arena;
use crate::{Level, Pool};

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// In -1 to 1.
    fn unit(&mut self) -> f32 {
        self.next() as i32 as f32 / 2_147_483_648.0
    }

    fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.unit()).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Bits {
    Random,
    /// Every weight at its largest.
    Ones,
    /// Every weight at its smallest.
    Zeros,
}

/// A tensor as in a file: `bits` everywhere but in the f16 scales, which are random.
fn tensor(format: Format, rows: usize, columns: usize, bits: Bits, random: &mut Random) -> Vec<u8> {
    let halves: &[usize] = match format {
        Format::F32 | Format::BF16 => &[],
        Format::F16 | Format::Q4_0 | Format::Q8_0 => &[0],
        Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q6K => &[208],
    };
    let block = format.block_bytes();
    let mut raw = vec![0; rows * columns / format.block_len() * block];
    for block in raw.chunks_mut(block) {
        match (bits, format) {
            (_, Format::F32) => block.copy_from_slice(&random.unit().to_le_bytes()),
            (_, Format::BF16) => block.copy_from_slice(&random.unit().to_le_bytes()[2..]),
            (Bits::Random, _) => block.fill_with(|| random.next() as u8),
            // In Q8_0 the extremes are those of a signed byte.
            (Bits::Ones, Format::Q8_0) => block.fill(0x7f),
            (Bits::Zeros, Format::Q8_0) => block.fill(0x80),
            (Bits::Ones, _) => block.fill(0xff),
            (Bits::Zeros, _) => block.fill(0),
        }
        for at in halves {
            block[*at..at + 2].copy_from_slice(&f16::from_f32(random.unit() / 64.0).to_le_bytes());
        }
    }
    raw
}

fn pool(threads: usize) -> Pool {
    Pool::new(NonZeroUsize::new(threads).unwrap()).unwrap()
}

fn products(level: Level, pool: &Pool, matrix: &Matrix, inputs: &[f32]) -> Vec<f32> {
    let mut activations = Activations::new(&[matrix.kind()]);
    activations.fill(level, pool, inputs, matrix.columns());
    let mut out = vec![f32::NAN; activations.rows() * matrix.rows()];
    multiply(level, pool, &[matrix], &activations, Then::Store, &mut out);
    out
}

/// To compare with: all that are not a number are alike.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { f32::NAN } else { *value }.to_bits()).collect()
}

/// Sizes that leave a remainder everywhere.
fn sizes(format: Format) -> &'static [(usize, usize)] {
    match format {
        Format::F32 | Format::F16 | Format::BF16 => &[(1, 1), (33, 300), (70, 257)],
        Format::Q4_0 | Format::Q8_0 => &[(1, 32), (31, 96), (70, 2048), (33, 288)],
        Format::Q4K | Format::Q5K | Format::Q6K => &[(1, 256), (31, 512), (70, 2048), (33, 1280)],
    }
}

/// Each format with each size and kind of weights.
fn for_matrices(mut check: impl FnMut(&Matrix, &[u8], &mut Random)) {
    let pool = pool(1);
    for format in Format::ALL {
        for &(rows, columns) in sizes(format) {
            for bits in [Bits::Random, Bits::Ones, Bits::Zeros] {
                let random = &mut Random(rows as u64);
                let raw = tensor(format, rows, columns, bits, random);
                check(&Matrix::pack(format, &raw, rows, columns, &pool, &mut Arena::default()).unwrap(), &raw, random);
            }
        }
    }
}

#[test]
fn a_packed_row_is_the_row_of_the_file() {
    for_matrices(|matrix, raw, _| {
        let mut expected = vec![0.0; matrix.columns()];
        let mut row = vec![f32::NAN; matrix.columns()];
        for (index, raw) in raw.chunks(raw.len() / matrix.rows()).enumerate() {
            matrix.format().dequantize(raw, &mut expected);
            matrix.row(index, &mut row);
            // Zero has two signs, and f16 scales of a format with floats may be NaN.
            assert!(
                row.iter().zip(&expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan()),
                "{:?}",
                matrix.format()
            );
        }
    });
}

#[test]
fn packed_weights_take_hardly_more_room_than_the_file() {
    for format in Format::ALL {
        let raw = tensor(format, 64, 512, Bits::Random, &mut Random(1));
        let packed = Matrix::pack(format, &raw, 64, 512, &pool(1), &mut Arena::default()).unwrap().bytes();
        assert!(packed as f64 <= 1.03 * raw.len() as f64, "{format:?}: {packed} instead of {}", raw.len());
    }
}

#[test]
fn products_are_as_close_as_rounded_activations_allow() {
    for_matrices(|matrix, raw, random| {
        let columns = matrix.columns();
        let inputs = random.floats(3 * columns);
        let out = products(Level::Scalar, &pool(1), matrix, &inputs);
        let mut weights = vec![0.0; matrix.rows() * columns];
        matrix.format().dequantize(raw, &mut weights);
        let block = match matrix.kind() {
            Kind::Floats => None,
            Kind::Blocks32 => Some(32),
            Kind::Blocks256 => Some(256),
        };
        for (input, out) in inputs.chunks(columns).zip(out.chunks(matrix.rows())) {
            let steps: Vec<f64> = match block {
                None => vec![0.0; columns],
                Some(block) => {
                    let largest = |values: &[f32]| values.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
                    input.chunks(block).flat_map(|values| vec![f64::from(largest(values)) / 127.0; block]).collect()
                }
            };
            for (weights, out) in weights.chunks(columns).zip(out) {
                let (mut exact, mut tolerance) = (0.0, 1e-30);
                for ((weight, input), step) in weights.iter().zip(input).zip(&steps) {
                    let (weight, input) = (f64::from(*weight), f64::from(*input));
                    exact += weight * input;
                    // Half a step of rounding, and the last bits of floats.
                    tolerance += weight.abs() * (step / 2.0 + 2e-5 * input.abs() + 2e-5 * step);
                }
                let close = (f64::from(*out) - exact).abs() <= tolerance;
                let finite = exact.is_finite();
                assert!(close || !finite, "{:?}: {out} instead of {exact} ± {tolerance}", matrix.format());
            }
        }
    });
}

/// Rows at the extremes: alternating, of zeros, tiny, huge, with an infinity.
fn extremes(columns: usize) -> Vec<f32> {
    let row = |value: fn(usize) -> f32| (0..columns).map(value).collect::<Vec<_>>();
    let mut infinite = row(|_| 1.0);
    infinite[columns / 2] = f32::INFINITY;
    [row(|_| 1.0), row(|_| -1.0), row(|k| [1.0, -1.0][k % 2]), row(|_| 0.0), row(|_| 1e-42), row(|_| 1e30), infinite]
        .concat()
}

#[test]
fn every_level_gives_the_bits_of_the_reference() {
    let pool = pool(1);
    for_matrices(|matrix, _, random| {
        let mut inputs = extremes(matrix.columns());
        inputs.extend(random.floats(2 * matrix.columns()));
        let expected = products(Level::Scalar, &pool, matrix, &inputs);
        for level in Level::available() {
            let out = products(level, &pool, matrix, &inputs);
            assert!(bits(&out) == bits(&expected), "{level:?} {:?}", matrix.format());
        }
    });
}

#[test]
fn one_number_that_is_none_spoils_its_row_and_no_other() {
    for_matrices(|matrix, _, random| {
        if matrix.kind() == Kind::Floats {
            return;
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut inputs = random.floats(2 * matrix.columns());
            inputs[3] = value;
            for level in Level::available() {
                let out = products(level, &pool(1), matrix, &inputs);
                let (spoilt, sound) = out.split_at(matrix.rows());
                assert!(spoilt.iter().all(|product| product.is_nan()), "{level:?} {:?} {value}", matrix.format());
                assert!(sound.iter().all(|product| product.is_finite()), "{level:?} {:?} {value}", matrix.format());
            }
        }
    });
}

#[test]
fn a_row_is_the_same_alone_in_any_batch_and_on_any_number_of_threads() {
    let columns = 3 * GROUP;
    for format in Format::ALL {
        let raw = tensor(format, 70, columns, Bits::Random, &mut Random(1));
        let matrix = Matrix::pack(format, &raw, 70, columns, &pool(2), &mut Arena::default()).unwrap();
        let inputs = Random(2).floats(150 * columns);
        for level in Level::available() {
            let alone: Vec<f32> =
                inputs.chunks(columns).flat_map(|row| products(level, &pool(1), &matrix, row)).collect();
            for rows in (1..40).chain([150]) {
                let out = products(level, &pool(rows % 3 + 1), &matrix, &inputs[..rows * columns]);
                assert!(bits(&out) == bits(&alone[..out.len()]), "{level:?} {format:?} {rows}");
            }
        }
    }
}

#[test]
fn outputs_of_several_matrices_lie_side_by_side_and_can_be_added() {
    let (pool, level) = (pool(2), Level::Scalar);
    let matrices =
        [(Format::Q4K, 40), (Format::Q6K, 7), (Format::F16, 33), (Format::Q8_0, 64)].map(|(format, rows)| {
            Matrix::pack(
                format,
                &tensor(format, rows, 256, Bits::Random, &mut Random(3)),
                rows,
                256,
                &pool,
                &mut Arena::default(),
            )
            .unwrap()
        });
    let inputs = Random(4).floats(3 * 256);
    let mut activations = Activations::new(&matrices.each_ref().map(Matrix::kind));
    activations.fill(level, &pool, &inputs, 256);
    let mut out = vec![0.5; 3 * 144];
    let mut expected = vec![Vec::new(); 3];
    for matrix in &matrices {
        let products = products(level, &pool, matrix, &inputs);
        expected.iter_mut().zip(products.chunks(matrix.rows())).for_each(|(row, products)| row.extend(products));
    }
    let expected = expected.concat();
    multiply(level, &pool, &matrices.each_ref(), &activations, Then::Add, &mut out);
    let sums: Vec<f32> = expected.iter().map(|product| 0.5 + product).collect();
    assert_eq!(bits(&out), bits(&sums));
    multiply(level, &pool, &matrices.each_ref(), &activations, Then::Store, &mut out);
    assert_eq!(bits(&out), bits(&expected));
}

#[test]
fn a_gate_is_applied_to_what_it_gates_on_every_level() {
    check_gate([Format::Q4K, Format::Q6K], 21, 512);
    // Of other kinds, in more rows than a block of either has.
    check_gate([Format::Q4K, Format::Q8_0], 75, 2048);
    check_gate([Format::F16, Format::Q4K], 75, 2048);
}

#[track_caller]
fn check_gate(formats: [Format; 2], num_rows: usize, columns: usize) {
    let pool = pool(2);
    let [gate, up] = formats.map(|format| {
        let raw = tensor(format, 70, columns, Bits::Random, &mut Random(5));
        Matrix::pack(format, &raw, 70, columns, &pool, &mut Arena::default()).unwrap()
    });
    let inputs = Random(6).floats(num_rows * columns);
    let gates = products(Level::Scalar, &pool, &gate, &inputs);
    let ups = products(Level::Scalar, &pool, &up, &inputs);
    let gated = |level| {
        let mut activations = Activations::new(&[gate.kind(), up.kind()]);
        activations.fill(level, &pool, &inputs, columns);
        let mut out = vec![0.0; gates.len()];
        multiply_gated(level, &pool, &gate, &up, &activations, &mut out);
        out
    };
    let reference = gated(Level::Scalar);
    for ((out, gate), up) in reference.iter().zip(&gates).zip(&ups) {
        let exact = f64::from(*gate) / (1.0 + f64::from(-gate).exp()) * f64::from(*up);
        assert!(
            (f64::from(*out) - exact).abs() <= 1e-6 * exact.abs() + 1e-9 * f64::from(gate * up).abs(),
            "{out} instead of {exact}"
        );
    }
    for level in Level::available() {
        assert_eq!(bits(&gated(level)), bits(&reference), "{level:?}");
    }
}
