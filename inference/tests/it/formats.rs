//! Crate `gguf`'s blocks against candle's.

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use gguf::Format;

use crate::support::Numbers;

const FORMATS: [(Format, GgmlDType); 8] = [
    (Format::F32, GgmlDType::F32),
    (Format::F16, GgmlDType::F16),
    (Format::BF16, GgmlDType::BF16),
    (Format::Q4_0, GgmlDType::Q4_0),
    (Format::Q8_0, GgmlDType::Q8_0),
    (Format::Q4K, GgmlDType::Q4K),
    (Format::Q5K, GgmlDType::Q5K),
    (Format::Q6K, GgmlDType::Q6K),
];
const ROWS: usize = 64;
const COLUMNS: usize = 512;

/// Sums of uniform numbers: near enough to a trained model's weights.
fn weights() -> Vec<f32> {
    let mut numbers = Numbers(11);
    let mut weight = || (0..4).map(|_| numbers.below(2001) as f32 / 1000.0 - 1.0).sum::<f32>() * 0.02;
    (0..ROWS * COLUMNS).map(|_| weight()).collect()
}

fn by_candle(bytes: &[u8], format: GgmlDType) -> Vec<f32> {
    let storage = QStorage::from_data(bytes.into(), &Device::Cpu, format).unwrap();
    let tensor = QTensor::new(storage, (ROWS, COLUMNS)).unwrap();
    tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn by_us(bytes: &[u8], format: Format) -> Vec<f32> {
    let mut values = vec![0.0; ROWS * COLUMNS];
    format.dequantize(bytes, &mut values);
    values
}

#[test]
fn blocks_stand_for_the_numbers_that_candle_reads() {
    for (format, candles) in FORMATS {
        let tensor = Tensor::from_vec(weights(), (ROWS, COLUMNS), &Device::Cpu).unwrap();
        let bytes = QTensor::quantize(&tensor, candles).unwrap().data().unwrap().to_vec();
        assert_eq!(by_us(&bytes, format), by_candle(&bytes, candles), "{format:?}");
    }
}

#[test]
fn our_blocks_lose_no_more_than_candles() {
    let weights = weights();
    let loss = |values: Vec<f32>| -> f32 { weights.iter().zip(values).map(|(a, b)| (a - b) * (a - b)).sum() };
    for (format, candles) in FORMATS {
        let tensor = Tensor::from_slice(&weights, (ROWS, COLUMNS), &Device::Cpu).unwrap();
        let theirs = QTensor::quantize(&tensor, candles).unwrap().data().unwrap().to_vec();
        let mut ours = vec![0; theirs.len()];
        format.quantize(&weights, &mut ours);
        let (theirs, ours) = (loss(by_us(&theirs, format)), loss(by_us(&ours, format)));
        assert!(ours <= 1.02 * theirs, "{format:?}: {ours} against {theirs}");
    }
}
