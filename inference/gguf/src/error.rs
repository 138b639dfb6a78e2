//! Why a file is not a model that can be run: the file, the key or tensor, what was found, what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file and what is wrong with it.
#[derive(Debug)]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be opened or read.
    #[error(" cannot be read; check the path and its permissions")]
    Unreadable(#[source] std::io::Error),
    /// Something else than GGUF.
    #[error(" is not a GGUF file: it does not begin with \"GGUF\"; give a .gguf file")]
    NotGguf,
    /// A version that is not known.
    #[error(" is GGUF version {0} but versions 2 and 3 are supported; convert the model anew")]
    Version(u32),
    /// The file ends too early.
    #[error(" has {file_bytes} bytes, too few for {part}; the download is incomplete: fetch it again")]
    Truncated {
        /// What is not whole.
        part: String,
        /// The file's size.
        file_bytes: u64,
    },
    /// Values that contradict themselves.
    #[error(" is damaged: {0}; fetch or convert it again")]
    Damaged(String),
    /// A key that has to be there.
    #[error(" lacks the key {0}; convert the model anew with a current converter")]
    MissingKey(String),
    /// A key whose value cannot be used.
    #[error(": {key} is {found}, expected {expected}; use a plain Mistral or Llama model")]
    BadKey {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A tensor that has to be there.
    #[error(" lacks the tensor {0}; convert the model anew with a current converter")]
    MissingTensor(String),
    /// A tensor that changes what is computed, in a way that is not known.
    #[error(" has a tensor {0}, which plain Mistral and Llama models do not have; use such a model")]
    ExtraTensor(String),
    /// A tensor that does not fit the metadata.
    #[error(": tensor {tensor} has shape {found:?} but the metadata says {expected:?}; convert the model anew")]
    TensorShape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that follows from the metadata.
        expected: Vec<usize>,
    },
    /// A tensor in a format that is not computed with.
    #[error(": tensor {tensor} is in format {format}; use F32, F16, BF16, Q4_0, Q4_K, Q5_K, Q6_K or Q8_0")]
    TensorFormat {
        /// The tensor.
        tensor: String,
        /// Its format.
        format: String,
    },
    /// Weights that cannot be brought into the format that they are read in.
    #[error(": tensor {tensor} has numbers that are not finite; fetch it again, or use another model")]
    NotFinite {
        /// The tensor.
        tensor: String,
    },
    /// Tokens without rows, or rows without tokens.
    #[error(": the vocabulary has {tokens} tokens but token_embd.weight has {rows} rows; convert the model anew")]
    VocabSize {
        /// Entries of the vocabulary.
        tokens: usize,
        /// Rows of the embedding.
        rows: usize,
    },
    /// A model that does not fit into what is free.
    #[error(
        " needs {needed} bytes of memory but {available} are free, {} too few; \
         take a smaller model or format, or free memory",
        needed - available
    )]
    Memory {
        /// Weights and what else was asked for.
        needed: u64,
        /// What the system can still give, within the limit of the process's container.
        available: u64,
    },
}

impl Problem {
    /// Says which file it is about.
    pub fn of(self, path: &Path) -> Error {
        Error { path: path.to_owned(), problem: self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path.display(), self.problem)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problem.source()
    }
}
