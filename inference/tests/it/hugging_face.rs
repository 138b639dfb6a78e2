//! The backends against Hugging Face's Mistral: logits and greedy tokens on two random models, one with full attention
//! and one with a sliding window (see `tests/fixtures/mistral/make.py`).
//!
//! Tolerances, as shares of the largest logit: weights are 16-bit floats, so candle computes as the reference does and
//! differs only in the order of sums. The packed backend keeps keys and values in 16 bits.

use std::path::{Path, PathBuf};

use inference::backend::{Backend, BlockId, Logits, ModelInput};
use inference::{BackendChoice, Format, LoadOptions, Model, TokenId};
use serde_json::Value;

use crate::support::ids;

const NUM_BLOCKS: usize = 8;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mistral")
}

fn logits(backend: &mut dyn Backend, position: usize, tokens: &[TokenId]) -> Vec<f32> {
    let table: Vec<BlockId> = (0..NUM_BLOCKS as u32).map(BlockId).collect();
    let (mut input, mut logits) = (ModelInput::default(), Logits::default());
    input.push(position, tokens, &table, 1);
    backend.forward(&input, &mut logits).unwrap();
    logits.values
}

fn largest(logits: &[f32]) -> usize {
    logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn check(model: &str, backend: BackendChoice, tolerance: f64) {
    let told: Value = serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap();
    let options = LoadOptions { backend, format: Some(Format::F16), ..LoadOptions::default() };
    let mut backend = Model::load_with(folder().join(model), options).unwrap().into_backend();
    backend.allocate(NUM_BLOCKS).unwrap();
    for case in told[model].as_array().unwrap() {
        let prompt = ids(numbers(&case["prompt"]).iter().map(|id| *id as u32));
        let (mut found, mut position) = (logits(&mut *backend, 0, &prompt), prompt.len());
        let expected = numbers(&case["logits"]);
        let scale = expected.iter().fold(0.0_f64, |scale, logit| scale.max(logit.abs()));
        let difference = expected.iter().zip(&found).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max);
        assert!(difference <= tolerance * scale, "{model}, {} tokens: {}", prompt.len(), difference / scale);
        for token in numbers(&case["greedy"]) {
            assert_eq!(largest(&found), token as usize, "{model}, {} tokens, at {position}", prompt.len());
            found = logits(&mut *backend, position, &[TokenId(token as u32)]);
            position += 1;
        }
    }
}

#[test]
fn full_attention_is_that_of_the_reference() {
    check("plain.gguf", BackendChoice::Candle, 1e-5);
    check("plain.gguf", BackendChoice::Packed, 1e-3);
}

#[test]
fn a_sliding_window_is_that_of_the_reference() {
    check("windowed", BackendChoice::Packed, 1e-3);
}
