//! The keys and values of all sequences, in blocks of [`BLOCK`] tokens that any sequence can hold.
//!
//! Of a block, layer and head, keys lie as `[head_dim][BLOCK]` and values as `[BLOCK][head_dim]`: attention reads both
//! front to back. Memory is taken up by blocks that were written, not by the whole store.

#![allow(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicI8, AtomicU16, AtomicU32, Ordering};

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::memory::{Buffer, Plain};

/// Tokens in a block.
pub const BLOCK: usize = 16;

/// How a key or value is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvKind {
    /// Half precision; what it cannot hold becomes its largest number.
    #[default]
    F16,
    /// A byte, with one `f32` scale for a token's key of a head, and one for its value.
    Int8,
}

/// The sizes of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Layers of the model.
    pub num_layers: usize,
    /// Heads of keys and values in a layer.
    pub num_kv_heads: usize,
    /// Values in a head, a multiple of 16.
    pub head_dim: usize,
    /// How they are kept.
    pub kind: KvKind,
}

impl KvShape {
    /// What a token takes.
    pub fn bytes_per_token(&self) -> usize {
        let per_head = match self.kind {
            KvKind::F16 => 2 * self.head_dim * size_of::<f16>(),
            KvKind::Int8 => 2 * (self.head_dim + size_of::<f32>()),
        };
        self.num_layers * self.num_kv_heads * per_head
    }

    /// Which of the parts of all blocks, layers and heads.
    fn index(&self, layer: usize, block: u32, head: usize) -> usize {
        assert!(layer < self.num_layers && head < self.num_kv_heads, "layer {layer}, head {head} of {self:?}");
        (block as usize * self.num_layers + layer) * self.num_kv_heads + head
    }

    /// Numbers in a part's keys, and in its values.
    fn half_of_part(&self) -> usize {
        BLOCK * self.head_dim
    }
}

/// The store.
pub struct Kv {
    shape: KvShape,
    num_blocks: usize,
    /// `[block][layer][head][keys | values]`.
    numbers: Buffer,
    /// `[block][layer][head][keys | values][BLOCK]`; empty for f16.
    scales: Buffer,
}

impl Kv {
    /// A store of zeros. An error means that the system refuses so much memory.
    ///
    /// # Panics
    /// When `head_dim` is no multiple of 16.
    pub fn new(shape: KvShape, num_blocks: usize) -> io::Result<Kv> {
        let head_dim = shape.head_dim;
        assert!(head_dim > 0 && head_dim.is_multiple_of(16), "{head_dim} values of a head are no multiple of 16");
        let parts = num_blocks * shape.num_layers * shape.num_kv_heads;
        let (bytes, scales) = match shape.kind {
            KvKind::F16 => (size_of::<f16>(), 0),
            KvKind::Int8 => (size_of::<i8>(), size_of::<f32>()),
        };
        Ok(Kv {
            shape,
            num_blocks,
            numbers: Buffer::new(parts * 2 * shape.half_of_part() * bytes)?,
            scales: Buffer::new(parts * 2 * BLOCK * scales)?,
        })
    }

    /// Its sizes.
    pub fn shape(&self) -> &KvShape {
        &self.shape
    }

    /// How many blocks there are.
    pub fn num_blocks(&self) -> usize {
        self.num_blocks
    }

    /// Lends the store to those who write; any number of threads.
    pub fn writer(&mut self) -> KvWriter<'_> {
        // SAFETY: each is the atomic of its number.
        let numbers = unsafe {
            match self.shape.kind {
                KvKind::F16 => Numbers::F16(shared(self.numbers.slice_mut::<f16>())),
                KvKind::Int8 => {
                    Numbers::Int8(shared(self.numbers.slice_mut::<i8>()), shared(self.scales.slice_mut::<f32>()))
                }
            }
        };
        KvWriter { shape: self.shape, numbers }
    }

    /// Keys and values of a block: `[head_dim][BLOCK]`, `[BLOCK][head_dim]`.
    pub(crate) fn part<T: Plain>(&self, layer: usize, block: u32, head: usize) -> (&[T], &[T]) {
        let half = self.shape.half_of_part();
        let start = self.shape.index(layer, block, head) * 2 * half;
        self.numbers.slice::<T>()[start..start + 2 * half].split_at(half)
    }

    /// Scales of a block's keys and values, where numbers are bytes.
    pub(crate) fn scales(&self, layer: usize, block: u32, head: usize) -> [&[f32; BLOCK]; 2] {
        let start = self.shape.index(layer, block, head) * 2;
        let scales = self.scales.slice::<f32>().as_chunks::<BLOCK>().0;
        [&scales[start], &scales[start + 1]]
    }
}

/// Numbers that several threads write.
///
/// # Safety
/// `A` is the atomic of `T`.
unsafe fn shared<T: Plain, A>(numbers: &mut [T]) -> &[A] {
    const { assert!(size_of::<T>() == size_of::<A>() && align_of::<T>() == align_of::<A>()) };
    // SAFETY: the same size and alignment, any bits are an `A`, and the borrow is a mutable one.
    unsafe { std::slice::from_raw_parts(numbers.as_mut_ptr().cast(), numbers.len()) }
}

/// Writes tokens, from several threads at once. Of two that write the same place, either may win.
pub struct KvWriter<'a> {
    shape: KvShape,
    numbers: Numbers<'a>,
}

enum Numbers<'a> {
    F16(&'a [AtomicU16]),
    Int8(&'a [AtomicI8], &'a [AtomicU32]),
}

impl KvWriter<'_> {
    /// Writes one token of a layer at place `slot` of a block: all heads' keys and values, `[head][head_dim]`.
    ///
    /// # Panics
    /// When there is no such layer, block or slot, or the lengths are not a token's.
    pub fn append(&self, layer: usize, block: u32, slot: usize, keys: &[f32], values: &[f32]) {
        let KvShape { num_kv_heads, head_dim, .. } = self.shape;
        assert!(slot < BLOCK, "a block has no slot {slot}");
        assert!(keys.len() == num_kv_heads * head_dim && values.len() == keys.len(), "{} keys", keys.len());
        for (head, (key, value)) in keys.chunks_exact(head_dim).zip(values.chunks_exact(head_dim)).enumerate() {
            let index = self.shape.index(layer, block, head);
            let part = 2 * self.shape.half_of_part();
            let part = index * part..(index + 1) * part;
            match self.numbers {
                Numbers::F16(numbers) => {
                    let (to_keys, to_values) = numbers[part].split_at(BLOCK * head_dim);
                    write_halves(key, to_keys[slot..].iter().step_by(BLOCK));
                    write_halves(value, &to_values[slot * head_dim..]);
                }
                Numbers::Int8(numbers, scales) => {
                    let (to_keys, to_values) = numbers[part].split_at(BLOCK * head_dim);
                    let scales = &scales[index * 2 * BLOCK..][..2 * BLOCK];
                    write_bytes(key, to_keys[slot..].iter().step_by(BLOCK), &scales[slot]);
                    write_bytes(value, &to_values[slot * head_dim..], &scales[BLOCK + slot]);
                }
            }
        }
    }
}

/// Keeps the number finite: another sequence may read past its own end, and zero times infinity is no number.
fn bounded(number: f32, largest: f32) -> f32 {
    number.max(-largest).min(largest)
}

fn write_halves<'a>(numbers: &[f32], to: impl IntoIterator<Item = &'a AtomicU16>) {
    const LARGEST: f32 = f16::MAX.to_f32_const();
    let mut to = to.into_iter();
    for numbers in numbers.chunks(64) {
        let (mut finite, mut halves) = ([0.0; 64], [f16::ZERO; 64]);
        for (finite, number) in finite.iter_mut().zip(numbers) {
            *finite = bounded(*number, LARGEST);
        }
        halves.convert_from_f32_slice(&finite);
        for (half, to) in halves[..numbers.len()].iter().zip(to.by_ref()) {
            to.store(half.to_bits(), Ordering::Relaxed);
        }
    }
}

/// Rounds to steps of the scale, of which the largest number has 127.
fn write_bytes<'a>(numbers: &[f32], to: impl IntoIterator<Item = &'a AtomicI8>, to_scale: &AtomicU32) {
    /// Adding it rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let largest = numbers.iter().fold(0.0, |largest: f32, number| largest.max(number.abs()));
    let scale = bounded(largest, f32::MAX) / 127.0;
    let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
    for (to, number) in to.into_iter().zip(numbers) {
        to.store((number * inverse + ROUND - ROUND) as i8, Ordering::Relaxed);
    }
    to_scale.store(scale.to_bits(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ops::simd::tests::noise;

    const SHAPE: KvShape = KvShape { num_layers: 2, num_kv_heads: 3, head_dim: 32, kind: KvKind::F16 };

    #[test]
    fn tokens_are_found_where_they_were_written() {
        let mut kv = Kv::new(SHAPE, 4).unwrap();
        let (keys, values) = (noise(1, 96), noise(2, 96));
        kv.writer().append(1, 3, 5, &keys, &values);
        for head in 0..3 {
            let (to_keys, to_values) = kv.part::<f16>(1, 3, head);
            for dim in 0..32 {
                assert_eq!(to_keys[dim * BLOCK + 5], f16::from_f32(keys[head * 32 + dim]));
                assert_eq!(to_values[5 * 32 + dim], f16::from_f32(values[head * 32 + dim]));
            }
        }
        let written = kv.numbers.slice::<f16>().iter().filter(|number| **number != f16::ZERO).count();
        assert_eq!(written, 2 * 96);
    }

    #[test]
    fn bytes_are_within_half_a_step() {
        let mut kv = Kv::new(KvShape { kind: KvKind::Int8, ..SHAPE }, 4).unwrap();
        let (keys, values) = (noise(1, 96), noise(2, 96));
        kv.writer().append(1, 3, 5, &keys, &values);
        for head in 0..3 {
            let (to_keys, to_values) = kv.part::<i8>(1, 3, head);
            let [key_scales, value_scales] = kv.scales(1, 3, head);
            for dim in 0..32 {
                let key = f32::from(to_keys[dim * BLOCK + 5]) * key_scales[5];
                let value = f32::from(to_values[5 * 32 + dim]) * value_scales[5];
                assert!((key - keys[head * 32 + dim]).abs() <= 0.501 * key_scales[5]);
                assert!((value - values[head * 32 + dim]).abs() <= 0.501 * value_scales[5]);
            }
        }
    }

    #[test]
    fn what_is_kept_is_finite() {
        for kind in [KvKind::F16, KvKind::Int8] {
            let mut kv = Kv::new(KvShape { kind, ..SHAPE }, 1).unwrap();
            for (slot, number) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, 0.0].into_iter().enumerate() {
                kv.writer().append(0, 0, slot, &[number; 96], &[number; 96]);
            }
            let finite = match kind {
                KvKind::F16 => kv.numbers.slice::<f16>().iter().all(|number| number.is_finite()),
                KvKind::Int8 => kv.scales.slice::<f32>().iter().all(|scale| scale.is_finite()),
            };
            assert!(finite, "{kind:?}");
        }
    }

    #[test]
    fn a_token_takes_what_the_store_says() {
        for kind in [KvKind::F16, KvKind::Int8] {
            let shape = KvShape { kind, ..SHAPE };
            let kv = Kv::new(shape, 7).unwrap();
            assert_eq!(kv.numbers.bytes().len() + kv.scales.bytes().len(), 7 * BLOCK * shape.bytes_per_token());
        }
    }
}
