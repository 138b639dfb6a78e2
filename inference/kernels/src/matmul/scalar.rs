//! The reference: the order of operations that every level keeps.
//!
//! Products of 32 columns (16 for Q6_K) are summed as integers, so their order does not matter. They are added, times
//! their scale, one after another with fused multiply-adds, and the groups likewise.

#![allow(unsafe_code)]

use gguf::Format;
use half::{bf16, f16};

use super::activations::{Block32, Block256, Kind};
use super::kernels::{Kernel, Pass};
use super::layout::{self, PART, Shape, TILE_ROWS, half_at};

pub(super) fn kernel(format: Format) -> Kernel {
    match format {
        Format::F32 => |pass| floats(pass, f32::from_le_bytes),
        Format::F16 => |pass| floats(pass, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Format::BF16 => |pass| floats(pass, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Format::Q4_0 => |pass| parts(pass, layout::Q4_0, 0),
        Format::Q8_0 => |pass| parts(pass, layout::Q8_0, 1),
        Format::Q4K => |pass| minima(pass, layout::Q4K),
        Format::Q5K => |pass| minima(pass, layout::Q5K),
        Format::Q6K => |pass| sixteens(pass, layout::Q6K),
    }
}

fn floats<const WIDTH: usize>(pass: &mut Pass, read: impl Fn([u8; WIDTH]) -> f32) {
    let rows = pass.activations.chunks(Kind::Floats.bytes(pass.columns));
    for (sums, row) in pass.sums.iter_mut().zip(rows) {
        let weights = pass.weights.as_chunks().0.as_chunks::<TILE_ROWS>().0;
        for (value, weights) in row.as_chunks().0.iter().zip(weights) {
            for (sum, weight) in sums.0.iter_mut().zip(weights) {
                *sum = read(*weight).mul_add(f32::from_ne_bytes(*value), *sum);
            }
        }
    }
}

fn parts(pass: &mut Pass, shape: Shape, offset: usize) {
    let rows = pass.activations.chunks(Kind::Blocks32.bytes(pass.columns));
    for (sums, row) in pass.sums.iter_mut().zip(rows) {
        // SAFETY: the caller of a kernel hands over blocks; they are aligned as their sizes are multiples of four.
        let blocks: &[Block32] = unsafe { row.align_to().1 };
        for (part, block) in blocks.iter().enumerate() {
            for (row, sum) in sums.0.iter_mut().enumerate() {
                let dot = block.offsets[offset] + dot(&shape.load(pass.weights, part, row), &block.quants);
                let scaled = dot as f32 * half_at(pass.weights, shape.part_scale(part, row));
                *sum = scaled.mul_add(block.scale, *sum);
            }
        }
    }
}

fn minima(pass: &mut Pass, shape: Shape) {
    let weights = pass.weights;
    for_blocks(pass, |block, row| {
        let (mut products, mut minima) = (0.0_f32, 0_i32);
        for (part, quants) in block.quants.as_chunks::<PART>().0.iter().enumerate() {
            let dot = dot(&shape.load(weights, part, row), quants);
            products = (dot as f32).mul_add(f32::from(weights[shape.scale(part, row)]), products);
            minima += i32::from(weights[shape.minimum(part, row)]) * i32::from(block.sums[part]);
        }
        let minima = half_at(weights, shape.group_minimum(row)) * minima as f32;
        half_at(weights, shape.group_scale(row)).mul_add(products, -minima)
    });
}

fn sixteens(pass: &mut Pass, shape: Shape) {
    let weights = pass.weights;
    for_blocks(pass, |block, row| {
        let mut products = 0.0_f32;
        for (part, quants) in block.quants.as_chunks::<PART>().0.iter().enumerate() {
            let part_weights = shape.load(weights, part, row);
            for half in 0..2 {
                let (index, range) = (2 * part + half, 16 * half..16 * (half + 1));
                let dot = block.offsets[index] + dot(&part_weights[range.clone()], &quants[range]);
                products = (dot as f32).mul_add(f32::from(weights[shape.scale(index, row)] as i8), products);
            }
        }
        half_at(weights, shape.group_scale(row)) * products
    });
}

/// Adds what `product` says of a block and a row of the tile, times the block's scale.
fn for_blocks(pass: &mut Pass, product: impl Fn(&Block256, usize) -> f32) {
    // SAFETY: the caller of a kernel hands over blocks; they are aligned as their size is a multiple of four.
    let blocks: &[Block256] = unsafe { pass.activations.align_to().1 };
    for (sums, block) in pass.sums.iter_mut().zip(blocks) {
        for (row, sum) in sums.0.iter_mut().enumerate() {
            *sum = product(block, row).mul_add(block.scale, *sum);
        }
    }
}

fn dot(weights: &[u8], quants: &[i8]) -> i32 {
    weights.iter().zip(quants).map(|(weight, quant)| i32::from(*weight) * i32::from(*quant)).sum()
}
