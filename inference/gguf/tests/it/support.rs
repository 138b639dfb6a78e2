//! Small models to damage.

use gguf::synth::{Mix, Preset, RandomModel};
use gguf::{Format, ModelFile, Shape, Value};

pub(crate) fn model() -> RandomModel {
    let shape = Shape { layers: 1, hidden: 64, feed_forward: 64, heads: 4, kv_heads: 2, head_dim: 16, ..small() };
    RandomModel { shape: Shape { vocab_size: 300, ..shape }, tied: false, mix: Mix::All(Format::Q8_0), seed: 1 }
}

fn small() -> Shape {
    Preset::Small.shape()
}

pub(crate) fn bytes(model: &RandomModel) -> Vec<u8> {
    bytes_with(model, |_| {})
}

/// The model's file with other keys than it would have.
pub(crate) fn bytes_with(model: &RandomModel, change: impl FnOnce(&mut Vec<(String, Value)>)) -> Vec<u8> {
    let mut metadata = model.metadata();
    change(&mut metadata);
    let mut bytes = Vec::new();
    gguf::write(&mut bytes, &metadata, &model.tensors(), |tensor, out| {
        out.resize(out.len() + tensor.byte_len()?, 0);
        Ok(())
    })
    .unwrap();
    bytes
}

/// Every tensor that the shape asks for can be read, and is as long as the shape says.
pub(crate) fn check_whole(file: &ModelFile) {
    let shape = file.shape();
    assert_eq!(file.vocab().tokens.len(), shape.vocab_size);
    assert!(shape.heads.is_multiple_of(shape.kv_heads) && shape.head_dim > 0);
    for (name, dims) in shape.tensors().filter(|(name, _)| !(file.is_tied() && name == "output.weight")) {
        match dims.as_slice() {
            [length] => assert_eq!(file.vector(&name).unwrap().len(), *length),
            _ => {
                let matrix = file.matrix(&name).unwrap();
                assert_eq!([matrix.rows, matrix.columns], dims[..]);
                let row_bytes = matrix.format.row_bytes(matrix.columns).unwrap();
                assert_eq!(matrix.bytes.len(), matrix.rows * row_bytes);
            }
        }
    }
}
