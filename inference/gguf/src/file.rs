//! A model's file or folder, checked: what it says of itself, and its tensors, which are as that says.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::bytes::Bytes;
use crate::error::{Error, Problem};
use crate::format::Format;
use crate::shape::{EMBEDDING, OUTPUT, Shape};
use crate::table::{Entry, byte_len};
use crate::vocab::RawVocab;
use crate::{folder, gguf_file, memory};

/// An open model. Every tensor that its shape asks for is there, in that shape, inside the file.
pub struct ModelFile {
    path: PathBuf,
    parts: Parts,
}

/// What the kinds of files have in common.
pub(crate) struct Parts {
    pub(crate) shape: Shape,
    pub(crate) vocab: RawVocab,
    pub(crate) files: Vec<Bytes>,
    pub(crate) tensors: BTreeMap<String, Stored>,
}

/// A tensor in one of the files, and what becomes of it when it is read.
pub(crate) struct Stored {
    pub(crate) file: usize,
    pub(crate) entry: Entry,
    /// The format that it is read in.
    pub(crate) read_as: Format,
    pub(crate) rows: RowOrder,
}

/// How a matrix's rows lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOrder {
    AsRead,
    /// Heads of so many rows, turned in pairs `(i, i + half)`; read, the pairs are `(2i, 2i + 1)`.
    HalfSplit(usize),
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
    /// Maps a model of llama architecture (Mistral, Llama 2) and checks all that it says. A GGUF file, or a folder in
    /// Hugging Face's layout: `config.json`, `model.safetensors` (or shards and their `model.safetensors.index.json`),
    /// and `tokenizer.json` or `tokenizer.model`. A folder's matrices are read in Q8_0.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_as(path, Format::Q8_0)
    }

    /// As `open`, with a folder's matrices in another format; where rows are not whole blocks of it, in their own.
    pub fn open_as(path: impl AsRef<Path>, format: Format) -> Result<Self, Error> {
        let path = path.as_ref();
        let parts = if path.is_dir() {
            folder::read(path, &Bytes::map, format)?
        } else {
            Bytes::map(path).and_then(gguf_file::read).map_err(|problem| problem.of(path))?
        };
        Ok(ModelFile { path: path.to_owned(), parts })
    }

    /// As `open`, of a GGUF file's contents; `path` is what errors call it.
    pub fn from_bytes(path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self, Error> {
        let path = path.as_ref();
        let parts = gguf_file::read(Bytes::Owned(bytes)).map_err(|problem| problem.of(path))?;
        Ok(ModelFile { path: path.to_owned(), parts })
    }

    /// As `open_as`, of the contents of a folder's files by their names.
    pub fn from_folder_bytes(
        path: impl AsRef<Path>,
        files: &BTreeMap<&str, Vec<u8>>,
        format: Format,
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = |path: &Path| {
            let contents = path.file_name().and_then(|name| files.get(name.to_str()?));
            let contents = contents.ok_or_else(|| Problem::Unreadable(std::io::ErrorKind::NotFound.into()))?;
            Ok(Bytes::Owned(contents.clone()))
        };
        let parts = folder::read(path, &read, format)?;
        Ok(ModelFile { path: path.to_owned(), parts })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its dimensions.
    pub fn shape(&self) -> &Shape {
        &self.parts.shape
    }

    /// Its tokens.
    pub fn vocab(&self) -> &RawVocab {
        &self.parts.vocab
    }

    /// Whether the output's matrix is the embedding's.
    pub fn is_tied(&self) -> bool {
        !self.parts.tensors.contains_key(OUTPUT)
    }

    /// Bytes of all tensors, as they are read.
    pub fn tensor_bytes(&self) -> u64 {
        self.parts.tensors.values().map(|stored| stored.byte_len() as u64).sum()
    }

    /// Whether the tensors and `besides` bytes more fit into the memory that the system can still give.
    pub fn check_memory(&self, besides: u64) -> Result<(), Error> {
        memory::check(self.tensor_bytes().saturating_add(besides)).map_err(|problem| problem.of(&self.path))
    }

    /// The format that a tensor is read in, and its bytes in that.
    pub fn read_as(&self, name: &str) -> Result<(Format, u64), Error> {
        self.stored(name).map(|stored| (stored.read_as, stored.byte_len() as u64))
    }

    /// A matrix by its name in [`Shape::tensors`].
    pub fn matrix(&self, name: &str) -> Result<Matrix<'_>, Error> {
        let stored = self.stored(name)?;
        let (rows, columns) = stored.rows_and_columns();
        let bytes = self.bytes(stored);
        let bytes = if stored.read_as == stored.entry.format && stored.rows == RowOrder::AsRead {
            Cow::Borrowed(bytes)
        } else {
            let converted = stored.converted(bytes);
            Cow::Owned(converted.ok_or_else(|| Problem::NotFinite { tensor: name.to_owned() }.of(&self.path))?)
        };
        Ok(Matrix { format: stored.read_as, rows, columns, bytes })
    }

    /// A vector by its name in [`Shape::tensors`].
    pub fn vector(&self, name: &str) -> Result<Vec<f32>, Error> {
        let stored = self.stored(name)?;
        let mut values = vec![0.0; stored.entry.dims.iter().product()];
        stored.entry.format.dequantize(self.bytes(stored), &mut values);
        Ok(values)
    }

    /// Gives a tensor's memory back to the system once its contents are held elsewhere. It can still be read.
    pub fn release(&self, name: &str) {
        if let Some(stored) = self.parts.tensors.get(name) {
            self.parts.files[stored.file].release(stored.entry.range.clone());
        }
    }

    fn bytes(&self, stored: &Stored) -> &[u8] {
        &self.parts.files[stored.file][stored.entry.range.clone()]
    }

    fn stored(&self, name: &str) -> Result<&Stored, Error> {
        self.parts.tensors.get(name).ok_or_else(|| Problem::MissingTensor(name.to_owned()).of(&self.path))
    }
}

impl Stored {
    pub(crate) fn as_it_is(file: usize, entry: Entry) -> Self {
        Stored { file, read_as: entry.format, entry, rows: RowOrder::AsRead }
    }

    fn rows_and_columns(&self) -> (usize, usize) {
        self.entry.dims.split_last().map_or((0, 0), |(columns, rows)| (rows.iter().product(), *columns))
    }

    /// Bytes in the format that it is read in, of whose blocks its rows are made.
    fn byte_len(&self) -> usize {
        byte_len(&self.entry.dims, self.read_as).unwrap_or(0)
    }

    /// In the order and format that it is read in, row by row; `None` where a number is not finite, of which few formats
    /// could tell.
    fn converted(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (rows, columns) = self.rows_and_columns();
        let from_row_bytes = bytes.len() / rows;
        let mut converted = vec![0; self.byte_len()];
        let to_row_bytes = converted.len() / rows;
        let mut values = vec![0.0; columns];
        for (row, out) in converted.chunks_exact_mut(to_row_bytes).enumerate() {
            let row = &bytes[self.rows.source(row) * from_row_bytes..][..from_row_bytes];
            self.entry.format.dequantize(row, &mut values);
            if !values.iter().all(|value| value.is_finite()) {
                return None;
            }
            self.read_as.quantize(&values, out);
        }
        Some(converted)
    }
}

impl RowOrder {
    /// Which row of the file is the matrix's row of that number.
    fn source(self, row: usize) -> usize {
        match self {
            RowOrder::AsRead => row,
            RowOrder::HalfSplit(head_dim) => {
                let (head, place) = (row / head_dim, row % head_dim);
                head * head_dim + place % 2 * (head_dim / 2) + place / 2
            }
        }
    }
}

/// All that the shape asks for, and nothing that would have to be computed with besides.
pub(crate) fn check_tensors(shape: &Shape, tensors: &BTreeMap<String, Stored>) -> Result<(), Problem> {
    let mut known = BTreeSet::new();
    for (name, dims) in shape.tensors() {
        match tensors.get(&name).map(|stored| &stored.entry.dims) {
            Some(found) if *found == dims => {}
            None if name == OUTPUT => {}
            None => return Err(Problem::MissingTensor(name)),
            Some(found) => {
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

#[cfg(test)]
mod tests {
    use super::RowOrder;

    #[test]
    fn halves_of_a_head_are_read_in_turn() {
        let sources = (0..8).map(|row| RowOrder::HalfSplit(4).source(row));
        assert_eq!(sources.collect::<Vec<_>>(), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
