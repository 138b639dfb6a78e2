//! Numbers to blocks, one function per format: the best of a few scales, after llama.cpp's `quantize_row_*_ref`.

use half::{bf16, f16};

use crate::blocks::scale_and_minimum;

/// Runs `encode` over as many numbers as a block has, block by block.
pub(crate) fn each<const BYTES: usize, const LEN: usize>(
    values: &[f32],
    out: &mut [u8],
    encode: impl Fn(&[f32; LEN]) -> [u8; BYTES],
) {
    for (values, block) in values.as_chunks::<LEN>().0.iter().zip(out.as_chunks_mut::<BYTES>().0) {
        *block = encode(values);
    }
}

pub(crate) fn f32(values: &[f32; 1]) -> [u8; 4] {
    values[0].to_le_bytes()
}

pub(crate) fn f16(values: &[f32; 1]) -> [u8; 2] {
    f16::from_f32(values[0]).to_le_bytes()
}

pub(crate) fn bf16(values: &[f32; 1]) -> [u8; 2] {
    bf16::from_f32(values[0]).to_le_bytes()
}

pub(crate) fn q4_0(values: &[f32; 32]) -> [u8; 18] {
    let scale = largest(values) / -8.0;
    let inverse = inverse(scale);
    let level = |value: f32| (value * inverse + 8.5).clamp(0.0, 15.0) as u8;
    let mut block = [0; 18];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (index, byte) in block[2..].iter_mut().enumerate() {
        *byte = level(values[index]) | level(values[index + 16]) << 4;
    }
    block
}

pub(crate) fn q8_0(values: &[f32; 32]) -> [u8; 34] {
    let scale = largest(values).abs() / 127.0;
    let inverse = inverse(scale);
    let mut block = [0; 34];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (byte, value) in block[2..].iter_mut().zip(values) {
        *byte = (value * inverse).round() as i8 as u8;
    }
    block
}

pub(crate) fn q4_k(values: &[f32; 256]) -> [u8; 144] {
    let mut block = [0; 144];
    let levels = affine_parts(values, 15, &mut block[..16]);
    for (pair, bytes) in levels.as_chunks::<64>().0.iter().zip(block[16..].as_chunks_mut::<32>().0) {
        for (column, byte) in bytes.iter_mut().enumerate() {
            *byte = pair[column] | pair[column + 32] << 4;
        }
    }
    block
}

pub(crate) fn q5_k(values: &[f32; 256]) -> [u8; 176] {
    let mut block = [0; 176];
    let levels = affine_parts(values, 31, &mut block[..16]);
    let (fifths, bytes) = block[16..].split_at_mut(32);
    for (index, (pair, bytes)) in levels.as_chunks::<64>().0.iter().zip(bytes.as_chunks_mut::<32>().0).enumerate() {
        for (column, (byte, fifth)) in bytes.iter_mut().zip(fifths.iter_mut()).enumerate() {
            let (low, high) = (pair[column], pair[column + 32]);
            *byte = low & 15 | (high & 15) << 4;
            *fifth |= (low >> 4) << (2 * index) | (high >> 4) << (2 * index + 1);
        }
    }
    block
}

pub(crate) fn q6_k(values: &[f32; 256]) -> [u8; 210] {
    let parts = values.as_chunks::<16>().0;
    let mut part_scales = [0.0; 16];
    for (scale, part) in part_scales.iter_mut().zip(parts) {
        *scale = symmetric_scale(part);
    }
    let scale = f16::from_f32(largest(&part_scales) / -128.0);
    let inverse_scale = inverse(scale.to_f32());
    let mut block = [0; 210];
    block[208..].copy_from_slice(&scale.to_le_bytes());
    let mut levels = [0; 256];
    for (index, (part, levels)) in parts.iter().zip(levels.as_chunks_mut::<16>().0).enumerate() {
        let part_scale = (part_scales[index] * inverse_scale).round() as i8;
        block[192 + index] = part_scale as u8;
        let inverse = inverse(scale.to_f32() * f32::from(part_scale));
        *levels = part.map(|value| ((value * inverse).round().clamp(-32.0, 31.0) + 32.0) as u8);
    }
    for (half, levels) in levels.as_chunks::<128>().0.iter().enumerate() {
        for column in 0..32 {
            let [a, b, c, d] = [0, 32, 64, 96].map(|quarter| levels[quarter + column]);
            block[64 * half + column] = a & 15 | (c & 15) << 4;
            block[64 * half + 32 + column] = b & 15 | (d & 15) << 4;
            block[128 + 32 * half + column] = a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6;
        }
    }
    block
}

/// The value of the largest size, with its sign.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest: f32, value| if value.abs() > largest.abs() { *value } else { largest })
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { scale.recip() }
}

/// The scale at which levels from -32 to 31 are nearest to the values, large values counting more: `make_qx_quants`.
fn symmetric_scale(values: &[f32; 16]) -> f32 {
    let largest = largest(values);
    if largest == 0.0 {
        return 0.0;
    }
    let (mut best, mut best_scale) = (0.0, 0.0);
    for step in -9..=9 {
        let inverse = -(32.0 + 0.1 * step as f32) / largest;
        let (mut products, mut squares) = (0.0, 0.0);
        for value in values {
            let level = (value * inverse).round().clamp(-32.0, 31.0);
            products += value * value * value * level;
            squares += value * value * level * level;
        }
        if squares > 0.0 && products * products > best * squares {
            (best, best_scale) = (products * products / squares, products / squares);
        }
    }
    best_scale
}

/// Eight parts of 32: their levels, from 0 to `top`; scales and minima go into the block's `head`.
fn affine_parts(values: &[f32; 256], top: u8, head: &mut [u8]) -> [u8; 256] {
    let parts = values.as_chunks::<32>().0;
    let mut fits = [(0.0, 0.0); 8];
    for (fit, part) in fits.iter_mut().zip(parts) {
        *fit = affine_fit(part, f32::from(top));
    }
    let scale = f16::from_f32(fits.iter().fold(0.0, |largest: f32, fit| largest.max(fit.0)) / 63.0);
    let minimum = f16::from_f32(fits.iter().fold(0.0, |largest: f32, fit| largest.max(fit.1)) / 63.0);
    let six_bits = |value: f32, scale: f16| (value * inverse(scale.to_f32())).round().min(63.0) as u8;
    head[..2].copy_from_slice(&scale.to_le_bytes());
    head[2..4].copy_from_slice(&minimum.to_le_bytes());
    let scales = fits.map(|fit| six_bits(fit.0, scale));
    head[4..].copy_from_slice(&pack_six_bits(scales, fits.map(|fit| six_bits(fit.1, minimum))));
    let mut levels = [0; 256];
    for (index, (part, levels)) in parts.iter().zip(levels.as_chunks_mut::<32>().0).enumerate() {
        let (part_scale, part_minimum) = scale_and_minimum(&head[4..], index);
        let inverse = inverse(scale.to_f32() * f32::from(part_scale));
        let minimum = minimum.to_f32() * f32::from(part_minimum);
        *levels = part.map(|value| ((value + minimum) * inverse).round().clamp(0.0, f32::from(top)) as u8);
    }
    levels
}

/// Scale and minimum (taken off, not negative) at which levels from 0 to `top` are nearest: `make_qkx2_quants`.
fn affine_fit(values: &[f32; 32], top: f32) -> (f32, f32) {
    let size = (values.iter().map(|value| value * value).sum::<f32>() / 32.0).sqrt();
    let weights = values.map(|value| size + value.abs());
    let lowest = values.iter().fold(0.0, |lowest: f32, value| lowest.min(*value));
    let highest = values.iter().fold(lowest, |highest: f32, value| highest.max(*value));
    if highest == lowest {
        return (0.0, -lowest);
    }
    let (total, weighted) = values
        .iter()
        .zip(weights)
        .fold((0.0, 0.0), |(total, sum), (value, weight)| (total + weight, sum + weight * value));
    let error = |scale: f32, minimum: f32, inverse: f32| -> f32 {
        let error = |value: f32| scale * level(value, lowest, inverse, top) + minimum - value;
        values.iter().zip(weights).map(|(value, weight)| weight * error(*value) * error(*value)).sum()
    };
    let inverse = top / (highest - lowest);
    let mut best = (inverse.recip(), lowest);
    let mut best_error = error(best.0, best.1, inverse);
    for step in 0..=20 {
        let inverse = (top - 1.0 + 0.1 * step as f32) / (highest - lowest);
        let (mut sum, mut squares, mut products) = (0.0, 0.0, 0.0);
        for (value, weight) in values.iter().zip(weights) {
            let level = level(*value, lowest, inverse, top);
            sum += weight * level;
            squares += weight * level * level;
            products += weight * level * value;
        }
        let determinant = total * squares - sum * sum;
        if determinant <= 0.0 {
            continue;
        }
        let mut fit =
            ((total * products - weighted * sum) / determinant, (squares * weighted - sum * products) / determinant);
        if fit.1 > 0.0 {
            fit = (products / squares, 0.0);
        }
        let fit_error = error(fit.0, fit.1, inverse);
        if fit_error < best_error {
            (best, best_error) = (fit, fit_error);
        }
    }
    (best.0, -best.1)
}

fn level(value: f32, lowest: f32, inverse: f32, top: f32) -> f32 {
    ((value - lowest) * inverse).round().clamp(0.0, top)
}

/// The inverse of [`scale_and_minimum`] for all eight parts.
pub(crate) fn pack_six_bits(scales: [u8; 8], minima: [u8; 8]) -> [u8; 12] {
    std::array::from_fn(|index| match index {
        0..4 => scales[index] | scales[index + 4] >> 4 << 6,
        4..8 => minima[index - 4] | minima[index] >> 4 << 6,
        _ => scales[index - 4] & 15 | minima[index - 4] << 4,
    })
}

#[cfg(test)]
mod tests {
    use crate::Format;

    /// Of numbers from -1 to 1, unevenly spread: the root of the mean square of what is lost.
    fn loss(format: Format) -> f32 {
        let value = |index: usize| ((index * 2_654_435_761 % 4096) as f32 / 2048.0 - 1.0).powi(3);
        let values: Vec<f32> = (0..4096).map(value).collect();
        let mut bytes = vec![0; format.row_bytes(values.len()).unwrap()];
        let mut back = vec![0.0; values.len()];
        format.quantize(&values, &mut bytes);
        format.dequantize(&bytes, &mut back);
        let squares: f32 = values.iter().zip(back).map(|(value, back)| (value - back) * (value - back)).sum();
        (squares / values.len() as f32).sqrt()
    }

    #[test]
    fn each_format_loses_what_its_bits_cannot_hold() {
        let most = [0.0, 1e-4, 8e-4, 0.04, 0.0025, 0.03, 0.016, 0.007];
        for (format, most) in Format::ALL.into_iter().zip(most) {
            let loss = loss(format);
            assert!((most / 2.0..=most).contains(&loss), "{format:?}: {loss}, expected at most {most}");
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for format in Format::ALL {
            let mut bytes = vec![1; format.row_bytes(256).unwrap()];
            let mut back = [1.0; 256];
            format.quantize(&[0.0; 256], &mut bytes);
            format.dequantize(&bytes, &mut back);
            assert_eq!(back, [0.0; 256], "{format:?}");
        }
    }
}
