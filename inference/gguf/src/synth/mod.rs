//! Models with random weights: of any size, in any format, on any machine, without a download. Their answers are noise;
//! their speed and memory are those of a trained model of the same shape.

mod mix;
mod noise;
mod preset;
mod vocab;

use std::io::{self, Write};

use crate::shape::{OUTPUT, Shape};
use crate::value::Value;
use crate::vocab::RawVocab;
use crate::write::{TensorSpec, write};
pub use mix::Mix;
use noise::Noise;
pub use preset::Preset;

/// How far the logits spread: a model that is neither sure of a token nor indifferent.
const LOGIT_DEVIATION: f32 = 3.0;
/// Bytes that are made before they are written.
const CHUNK_BYTES: usize = 1 << 20;

/// What to write. The same values give the same bytes.
#[derive(Clone, Debug)]
pub struct RandomModel {
    /// Its dimensions.
    pub shape: Shape,
    /// Whether the embedding's matrix is the output's.
    pub tied: bool,
    /// The formats of its matrices; norms are `F32`.
    pub mix: Mix,
    /// Another seed, another model.
    pub seed: u64,
}

impl RandomModel {
    /// A model of a known shape.
    pub fn new(preset: Preset, mix: Mix, seed: u64) -> Self {
        RandomModel { shape: preset.shape(), tied: preset == Preset::Pocket, mix, seed }
    }

    /// Its tensors, in the order of the file.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let stored = self.shape.tensors().filter(|(name, _)| !(self.tied && name == OUTPUT));
        stored
            .map(|(name, dims)| {
                let format = self.mix.format(&name, &dims, self.shape.layers, self.tied);
                TensorSpec { name, dims, format }
            })
            .collect()
    }

    /// Its keys.
    pub fn metadata(&self) -> Vec<(String, Value)> {
        let mut metadata = self.shape.metadata();
        metadata.extend(self.vocab().metadata());
        metadata
    }

    fn vocab(&self) -> RawVocab {
        vocab::vocab(self.shape.vocab_size)
    }

    /// Writes a GGUF file, one chunk at a time. `progress` hears the tensor bytes written so far, and all of them.
    pub fn write<W: Write>(&self, out: &mut W, mut progress: impl FnMut(u64, u64)) -> io::Result<()> {
        let tensors = self.tensors();
        let mut total = 0;
        for tensor in &tensors {
            total += tensor.byte_len()? as u64;
        }
        let mut written = 0;
        write(out, &self.metadata(), &tensors, |tensor, out| {
            let mut noise = Noise::new(self.seed, &tensor.name);
            let mut left = tensor.byte_len()?;
            let chunk_bytes = CHUNK_BYTES.next_multiple_of(tensor.format.block_bytes());
            let mut chunk = vec![0; chunk_bytes.min(left)];
            while left > 0 {
                chunk.truncate(left);
                match tensor.dims.as_slice() {
                    [_, columns] => noise.fill(tensor.format, deviation(&tensor.name, *columns), &mut chunk),
                    _ => chunk.as_chunks_mut().0.fill(1.0_f32.to_le_bytes()),
                }
                out.write_all(&chunk)?;
                left -= chunk.len();
                written += chunk.len() as u64;
                progress(written, total);
            }
            Ok(())
        })
    }
}

/// Products of rows of unit size keep that size.
fn deviation(name: &str, columns: usize) -> f32 {
    let unit = (columns as f32).sqrt().recip();
    match name {
        "token_embd.weight" | OUTPUT => LOGIT_DEVIATION * unit,
        _ => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, ModelFile};

    fn bytes(model: &RandomModel) -> Vec<u8> {
        let mut bytes = Vec::new();
        model.write(&mut bytes, |_, _| {}).unwrap();
        bytes
    }

    fn check(model: &RandomModel) {
        let file = ModelFile::from_bytes("random", bytes(model)).unwrap();
        assert_eq!(*file.shape(), model.shape);
        assert_eq!(*file.vocab(), model.vocab());
        assert_eq!(file.is_tied(), model.tied);
        for TensorSpec { name, dims, format } in model.tensors() {
            match dims.as_slice() {
                [length] => assert_eq!(file.vector(&name).unwrap(), vec![1.0; *length]),
                _ => assert_eq!(file.matrix(&name).unwrap().format, format),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for format in Format::ALL {
            check(&RandomModel::new(Preset::Small, Mix::All(format), 1));
        }
        check(&RandomModel::new(Preset::Pocket, Mix::Q4KM, 1));
    }

    #[test]
    fn a_seed_is_a_model() {
        let model = |seed| bytes(&RandomModel::new(Preset::Small, Mix::Q4KM, seed));
        assert!(model(1) == model(1));
        assert!(model(1) != model(2));
    }

    #[test]
    fn progress_ends_with_everything() {
        let model = RandomModel::new(Preset::Small, Mix::All(Format::F32), 1);
        let mut last = (0, 1);
        model
            .write(&mut io::sink(), |written, total| {
                assert!(written > last.0);
                last = (written, total);
            })
            .unwrap();
        assert_eq!(last.0, last.1);
    }
}
