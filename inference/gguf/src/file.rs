//! A model's file, checked: what it says of itself, and its tensors, which are as that says.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::bytes::Bytes;
use crate::error::{Error, Problem};
use crate::format::Format;
use crate::memory;
use crate::metadata::{Metadata, bad};
use crate::reader::Reader;
use crate::shape::{EMBEDDING, OUTPUT, Shape};
use crate::table::{self, Entry};
use crate::vocab::RawVocab;

const MAGIC: &[u8] = b"GGUF";
const MAX_ALIGNMENT: usize = 1 << 16;

/// An open model. Every tensor that its shape asks for is there, in that shape, inside the file.
pub struct ModelFile {
    path: PathBuf,
    bytes: Bytes,
    shape: Shape,
    vocab: RawVocab,
    tensors: BTreeMap<String, Entry>,
}

/// A matrix, row by row.
pub struct Matrix<'a> {
    /// How its numbers are stored.
    pub format: Format,
    /// Numbers that come out of a product.
    pub rows: usize,
    /// Numbers that go in.
    pub columns: usize,
    /// `rows` times `format.row_bytes(columns)`.
    pub bytes: Cow<'a, [u8]>,
}

impl ModelFile {
    /// Maps a GGUF file of llama architecture (Mistral, Llama 2) and checks all that it says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        Bytes::map(path).and_then(|bytes| Self::read(path, bytes)).map_err(|problem| problem.of(path))
    }

    /// As `open`, of a file's contents; `path` is what errors call it.
    pub fn from_bytes(path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::read(path, Bytes::Owned(bytes)).map_err(|problem| problem.of(path))
    }

    fn read(path: &Path, bytes: Bytes) -> Result<Self, Problem> {
        let mut reader = Reader::new(&bytes);
        if !bytes.starts_with(MAGIC) {
            return Err(Problem::NotGguf);
        }
        reader.take(MAGIC.len() as u64, "its first bytes")?;
        match reader.u32("its version")? {
            2 | 3 => {}
            version => return Err(Problem::Version(version)),
        }
        let num_tensors = table::count_tensors(&mut reader)?;
        let num_keys = Metadata::count_keys(&mut reader)?;
        let metadata = Metadata::read(&mut reader, num_keys)?;
        let tensors = table::read(&mut reader, num_tensors, alignment(&metadata)?, bytes.len())?;
        let (shape, vocab) = (Shape::read(&metadata)?, RawVocab::read(&metadata)?);
        check_tensors(&shape, &tensors)?;
        Ok(ModelFile { path: path.to_owned(), bytes, shape, vocab, tensors })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its dimensions.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its tokens.
    pub fn vocab(&self) -> &RawVocab {
        &self.vocab
    }

    /// Whether the output's matrix is the embedding's.
    pub fn is_tied(&self) -> bool {
        !self.tensors.contains_key(OUTPUT)
    }

    /// Bytes of all tensors.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.values().map(|entry| entry.range.len() as u64).sum()
    }

    /// Whether the tensors and `besides` bytes more fit into the memory that the system can still give.
    pub fn check_memory(&self, besides: u64) -> Result<(), Error> {
        memory::check(self.tensor_bytes().saturating_add(besides)).map_err(|problem| problem.of(&self.path))
    }

    /// A matrix by its name in [`Shape::tensors`].
    pub fn matrix(&self, name: &str) -> Result<Matrix<'_>, Error> {
        let entry = self.entry(name)?;
        let (columns, rows) = entry.dims.split_last().map_or((0, 0), |(last, rest)| (*last, rest.iter().product()));
        let bytes = Cow::Borrowed(&self.bytes[entry.range.clone()]);
        Ok(Matrix { format: entry.format, rows, columns, bytes })
    }

    /// A vector by its name in [`Shape::tensors`].
    pub fn vector(&self, name: &str) -> Result<Vec<f32>, Error> {
        let entry = self.entry(name)?;
        let mut values = vec![0.0; entry.dims.iter().product()];
        entry.format.dequantize(&self.bytes[entry.range.clone()], &mut values);
        Ok(values)
    }

    /// Gives a tensor's memory back to the system once its contents are held elsewhere. It can still be read.
    pub fn release(&self, name: &str) {
        if let Some(entry) = self.tensors.get(name) {
            self.bytes.release(entry.range.clone());
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry, Error> {
        self.tensors.get(name).ok_or_else(|| Problem::MissingTensor(name.to_owned()).of(&self.path))
    }
}

fn alignment(metadata: &Metadata) -> Result<usize, Problem> {
    let key = "general.alignment";
    let Some(value) = metadata.get(key) else { return Ok(32) };
    let alignment = value.integer().and_then(|alignment| usize::try_from(alignment).ok());
    match alignment {
        Some(alignment) if alignment.is_power_of_two() && (8..=MAX_ALIGNMENT).contains(&alignment) => Ok(alignment),
        _ => Err(Problem::Damaged(format!("{key} is not a power of two from 8 to {MAX_ALIGNMENT}"))),
    }
}

/// All that the shape asks for, and nothing that would have to be computed with besides.
fn check_tensors(shape: &Shape, tensors: &BTreeMap<String, Entry>) -> Result<(), Problem> {
    if tensors.contains_key("rope_freqs.weight") {
        return Err(bad("rope_freqs.weight", "a tensor", "none: scaled positions are not supported"));
    }
    let mut known = BTreeSet::new();
    for (name, dims) in shape.tensors() {
        match tensors.get(&name) {
            Some(entry) if entry.dims == dims => {}
            None if name == OUTPUT => {}
            None => return Err(Problem::MissingTensor(name)),
            Some(Entry { dims: found, .. }) => {
                return Err(match found.as_slice() {
                    [rows, columns] if name == EMBEDDING && *columns == shape.hidden => {
                        Problem::VocabSize { tokens: shape.vocab_size, rows: *rows }
                    }
                    _ => Problem::TensorShape { tensor: name, found: found.clone(), expected: dims },
                });
            }
        }
        known.insert(name);
    }
    match tensors.keys().find(|name| !known.contains(*name)) {
        Some(name) => Err(Problem::ExtraTensor(name.clone())),
        None => Ok(()),
    }
}
