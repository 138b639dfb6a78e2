//! A GGUF file, checked before anything is allocated on its word: errors name the file, the key or tensor, and what to
//! do about it.

mod metadata;
mod shape;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use crate::model::LoadError;
pub(crate) use metadata::vocab;
pub(crate) use shape::Shape;

const MAGIC: [u8; 4] = *b"GGUF";

/// An open file whose header is read and whose tensors are known to lie inside it.
pub(crate) struct GgufFile {
    path: PathBuf,
    file: File,
    content: Content,
    shape: Shape,
}

impl GgufFile {
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let file_bytes = file.metadata().map_err(unreadable)?.len();
        check_magic(path, &mut file)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let content = read_header(path, &mut file)?;
        check_extents(path, &content, file_bytes)?;
        let shape = Shape::read(path, &content)?;
        Ok(GgufFile { path: path.to_owned(), file, content, shape })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A matrix `[rows, columns]` in the file's own format.
    pub(crate) fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Arc<QTensor>, LoadError> {
        self.tensor(name, &[rows, columns]).map(Arc::new)
    }

    /// A vector as `f32`.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Tensor, LoadError> {
        let tensor = self.tensor(name, &[length])?;
        tensor.dequantize(&Device::Cpu).map_err(|error| self.failed(error))
    }

    /// Bytes of all tensors.
    pub(crate) fn tensor_bytes(&self) -> u64 {
        let bytes = |info: &candle_core::quantized::gguf_file::TensorInfo| {
            tensor_bytes(info.shape.dims(), info.ggml_dtype).unwrap_or(0)
        };
        self.content.tensor_infos.values().map(bytes).sum()
    }

    /// What candle says of a tensor that was read.
    pub(crate) fn failed(&self, error: candle_core::Error) -> LoadError {
        LoadError::Damaged { path: self.path.clone(), reason: error.to_string() }
    }

    fn tensor(&mut self, name: &str, dims: &[usize]) -> Result<QTensor, LoadError> {
        let path = || self.path.clone();
        let Some(info) = self.content.tensor_infos.get(name) else {
            return Err(LoadError::MissingTensor { path: path(), tensor: name.to_owned() });
        };
        if info.shape.dims() != dims {
            let (found, expected) = (info.shape.dims().to_vec(), dims.to_vec());
            return Err(LoadError::TensorShape { path: path(), tensor: name.to_owned(), found, expected });
        }
        use GgmlDType::{BF16, F16, F32, Q4_0, Q4K, Q5K, Q6K, Q8_0};
        if !matches!(info.ggml_dtype, F32 | F16 | BF16 | Q4_0 | Q4K | Q5K | Q6K | Q8_0) {
            let format = format!("{:?}", info.ggml_dtype);
            return Err(LoadError::TensorFormat { path: path(), tensor: name.to_owned(), format });
        }
        let read = info.read(&mut self.file, self.content.tensor_data_offset, &Device::Cpu);
        read.map_err(|error| LoadError::Damaged { path: path(), reason: format!("tensor {name}: {error}") })
    }
}

fn check_magic(path: &Path, file: &mut File) -> Result<(), LoadError> {
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(|_| LoadError::NotGguf { path: path.to_owned() })?;
    let [magic @ .., v0, v1, v2, v3] = start;
    if magic != MAGIC {
        return Err(LoadError::NotGguf { path: path.to_owned() });
    }
    match u32::from_le_bytes([v0, v1, v2, v3]) {
        2 | 3 => Ok(()),
        version => Err(LoadError::Version { path: path.to_owned(), version }),
    }
}

/// Candle checks counts and lengths against the file's size. What it does not foresee (an alignment of 0) panics, and
/// that is a damaged file, too.
fn read_header(path: &Path, file: &mut File) -> Result<Content, LoadError> {
    let damaged = |reason: String| LoadError::Damaged { path: path.to_owned(), reason };
    match catch_unwind(AssertUnwindSafe(|| Content::read(file))) {
        Ok(content) => content.map_err(|error| damaged(format!("header: {error}"))),
        Err(_) => Err(damaged("header: values that no GGUF file has".to_owned())),
    }
}

fn check_extents(path: &Path, content: &Content, file_bytes: u64) -> Result<(), LoadError> {
    for (name, info) in &content.tensor_infos {
        let end = tensor_bytes(info.shape.dims(), info.ggml_dtype)
            .and_then(|bytes| bytes.checked_add(info.offset)?.checked_add(content.tensor_data_offset));
        if end.is_none_or(|end| end > file_bytes) {
            return Err(LoadError::Truncated { path: path.to_owned(), tensor: name.clone(), file_bytes });
        }
    }
    Ok(())
}

/// `None` when the size cannot be: rows that are not whole blocks, or a product that overflows.
fn tensor_bytes(dims: &[usize], format: GgmlDType) -> Option<u64> {
    let elements = dims.iter().try_fold(1_u64, |product, dim| product.checked_mul(*dim as u64))?;
    let block = format.block_size() as u64;
    let row = *dims.last()? as u64;
    row.is_multiple_of(block).then(|| (elements / block).checked_mul(format.type_size() as u64))?
}
