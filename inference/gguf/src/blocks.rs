//! Blocks to numbers, one function per format; layouts as in llama.cpp's `ggml-common.h`.

/// Runs `decode` over blocks of `BYTES` bytes that stand for `LEN` numbers each.
pub(crate) fn each<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    for (block, out) in bytes.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<LEN>().0) {
        decode(block, out);
    }
}

pub(crate) fn f32(block: &[u8; 4], out: &mut [f32; 1]) {
    out[0] = f32::from_le_bytes(*block);
}

pub(crate) fn f16(block: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = half::f16::from_le_bytes(*block).to_f32();
}

pub(crate) fn bf16(block: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = half::bf16::from_le_bytes(*block).to_f32();
}

/// Scale, 16 bytes: weight `i` in the low half of byte `i`, weight `i + 16` in its high half.
pub(crate) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half(block, 0);
    let (low, high) = out.split_at_mut(16);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(&block[2..]) {
        *low = (f32::from(byte & 15) - 8.0) * scale;
        *high = (f32::from(byte >> 4) - 8.0) * scale;
    }
}

/// Scale, 32 signed bytes.
pub(crate) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half(block, 0);
    for (out, byte) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(*byte as i8) * scale;
    }
}

/// Scale, minimum, 12 bytes of scales and minima, 128 bytes: 32 bytes hold 64 weights, low halves first.
pub(crate) fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (scale, minimum) = (half(block, 0), half(block, 2));
    let parts = out.as_chunks_mut::<64>().0.iter_mut().zip(block[16..].as_chunks::<32>().0);
    for (index, (out, bytes)) in parts.enumerate() {
        let [low, high] = [2 * index, 2 * index + 1].map(|part| {
            let (part_scale, part_minimum) = scale_and_minimum(&block[4..16], part);
            (scale * f32::from(part_scale), minimum * f32::from(part_minimum))
        });
        for (column, byte) in bytes.iter().enumerate() {
            out[column] = low.0 * f32::from(byte & 15) - low.1;
            out[column + 32] = high.0 * f32::from(byte >> 4) - high.1;
        }
    }
}

/// As `q4_k`, with 32 bytes between that hold the fifth bits: bit `i` of byte `column` is that of part `i`.
pub(crate) fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (scale, minimum) = (half(block, 0), half(block, 2));
    let fifths = &block[16..48];
    let parts = out.as_chunks_mut::<64>().0.iter_mut().zip(block[48..].as_chunks::<32>().0);
    for (index, (out, bytes)) in parts.enumerate() {
        let [low, high] = [2 * index, 2 * index + 1].map(|part| {
            let (part_scale, part_minimum) = scale_and_minimum(&block[4..16], part);
            (scale * f32::from(part_scale), minimum * f32::from(part_minimum))
        });
        for (column, (byte, fifth)) in bytes.iter().zip(fifths).enumerate() {
            let (low_fifth, high_fifth) = (fifth >> (2 * index) & 1, fifth >> (2 * index + 1) & 1);
            out[column] = low.0 * f32::from(byte & 15 | low_fifth << 4) - low.1;
            out[column + 32] = high.0 * f32::from(byte >> 4 | high_fifth << 4) - high.1;
        }
    }
}

/// 128 bytes of low halves, 64 bytes of upper pairs of bits, 16 signed scales, scale; halves of 128 weights.
pub(crate) fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let scale = half(block, 208);
    for (index, out) in out.as_chunks_mut::<128>().0.iter_mut().enumerate() {
        let low = &block[64 * index..][..64];
        let upper = &block[128 + 32 * index..][..32];
        let scales = &block[192 + 8 * index..][..8];
        for (quarter, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let low = &low[32 * (quarter % 2)..];
            for (column, out) in out.iter_mut().enumerate() {
                let bits = low[column] >> (4 * (quarter / 2)) & 15 | (upper[column] >> (2 * quarter) & 3) << 4;
                let part_scale = f32::from(scales[2 * quarter + column / 16] as i8);
                *out = scale * part_scale * (f32::from(bits) - 32.0);
            }
        }
    }
}

/// Six bits each, of part `0..8`: four parts in the low six bits of eight bytes, the others in the last four bytes and
/// the upper bits of the first eight.
pub(crate) fn scale_and_minimum(packed: &[u8], part: usize) -> (u8, u8) {
    if part < 4 {
        return (packed[part] & 63, packed[part + 4] & 63);
    }
    let scale = packed[part + 4] & 15 | packed[part - 4] >> 6 << 4;
    let minimum = packed[part + 4] >> 4 | packed[part] >> 6 << 4;
    (scale, minimum)
}

fn half(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; 2] = [0x00, 0x3c];

    #[test]
    fn q4_0_halves_lie_sixteen_apart() {
        let mut block = [0x88; 18];
        block[..2].copy_from_slice(&ONE);
        block[2] = 0xf1;
        let mut out = [9.0; 32];
        q4_0(&block, &mut out);
        assert_eq!((out[0], out[1], out[16], out[17]), (-7.0, 0.0, 7.0, 0.0));
    }

    #[test]
    fn q8_0_is_signed() {
        let mut block = [0; 34];
        block[..2].copy_from_slice(&ONE);
        (block[2], block[33]) = (0x80, 0x7f);
        let mut out = [9.0; 32];
        q8_0(&block, &mut out);
        assert_eq!((out[0], out[1], out[31]), (-128.0, 0.0, 127.0));
    }

    #[test]
    fn k_formats_take_scale_and_minimum_of_each_part() {
        // Part 1: scale 3, minimum 5; part 6: scale 2 + 16, minimum 1 + 32.
        let mut packed = [0; 12];
        (packed[1], packed[5]) = (3, 5);
        (packed[10], packed[2], packed[6]) = (0x12, 0b01 << 6, 0b10 << 6);
        assert_eq!(scale_and_minimum(&packed, 1), (3, 5));
        assert_eq!(scale_and_minimum(&packed, 6), (18, 33));

        let mut block = [0x21; 144];
        block[..2].copy_from_slice(&ONE);
        block[2..4].copy_from_slice(&ONE);
        block[4..16].copy_from_slice(&packed);
        let mut out = [9.0; 256];
        q4_k(&block, &mut out);
        assert_eq!((out[0], out[32], out[6 * 32]), (0.0, 3.0 * 2.0 - 5.0, 18.0 - 33.0));
    }

    #[test]
    fn q5_k_adds_sixteen_for_a_fifth_bit() {
        let mut block = [0; 176];
        block[..2].copy_from_slice(&ONE);
        block[4..12].fill(1);
        block[12..16].fill(0x11);
        block[16] = 0b1000_0010;
        block[48..].fill(0x43);
        let mut out = [9.0; 256];
        q5_k(&block, &mut out);
        assert_eq!((out[0], out[32], out[33], out[192], out[224]), (3.0, 20.0, 4.0, 3.0, 20.0));
    }

    #[test]
    fn q6_k_puts_two_bits_over_four() {
        let mut block = [0; 210];
        block[208..].copy_from_slice(&ONE);
        block[192..208].fill(1);
        (block[193], block[200]) = (0xff, 2);
        (block[0], block[128], block[160]) = (0x5a, 0b11_00_01_10, 0b10);
        let mut out = [9.0; 256];
        q6_k(&block, &mut out);
        assert_eq!((out[0], out[32], out[64], out[96]), (42.0 - 32.0, 16.0 - 32.0, 5.0 - 32.0, 48.0 - 32.0));
        assert_eq!((out[16], out[128], out[144]), (32.0, 0.0, -32.0));
    }
}
