//! A model file, loaded and ready to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::{CandleBackend, CandleModel};
use crate::chat::Renderer;
use crate::gguf::{self, GgufFile};
use crate::grammar::GrammarCompiler;
use crate::tokenizer::{Tokenizer, TokenizerError, Vocab};

/// Weights, tokenizer and what belongs to them. [`crate::ChatModel::start`] runs it.
pub struct Model {
    pub(crate) info: ModelInfo,
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) renderer: Renderer,
    pub(crate) grammars: GrammarCompiler,
    pub(crate) backend: CandleBackend,
}

/// What a model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// `general.name` of the file.
    pub name: String,
    /// Positions that a sequence can have: prompt and answer together.
    pub context_len: usize,
    /// Number of tokens.
    pub vocab_size: usize,
    /// Memory that one token of a running sequence takes.
    pub kv_bytes_per_token: u64,
    /// Memory of the weights as they lie in the file.
    pub weight_bytes: u64,
}

/// Why a file is not a model that can be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be opened or read.
    #[error("cannot read model file {}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something else than GGUF.
    #[error("{} is not a GGUF file: it does not begin with \"GGUF\"; give a .gguf file", path.display())]
    NotGguf {
        /// The file.
        path: PathBuf,
    },
    /// A version that is not known.
    #[error("{} is GGUF version {version} but versions 2 and 3 are supported; convert the model anew", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file ends too early.
    #[error("{} has {file_bytes} bytes, too few for tensor {tensor}; the download is incomplete: fetch it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// A tensor that is not whole.
        tensor: String,
        /// The file's size.
        file_bytes: u64,
    },
    /// Values that contradict themselves.
    #[error("{} is damaged: {reason}; fetch or convert it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key that has to be there.
    #[error("{} lacks the key {key}; convert the model anew with a current converter", path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A key whose value cannot be used.
    #[error("{}: {key} is {found}, expected {expected}; use a plain Mistral or Llama model", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A tensor that has to be there.
    #[error("{} lacks the tensor {tensor}; convert the model anew with a current converter", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor that does not fit the metadata.
    #[error("{}: tensor {tensor} has shape {found:?} but the metadata says {expected:?}; convert the model anew", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that follows from the metadata.
        expected: Vec<usize>,
    },
    /// A tensor in a format that is not computed with.
    #[error("{}: tensor {tensor} is in format {format}; use F32, F16, BF16, Q4_0, Q4_K, Q5_K, Q6_K or Q8_0", path.display())]
    TensorFormat {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its format.
        format: String,
    },
    /// The tokenizer in the file.
    #[error("{}: the tokenizer cannot be used", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TokenizerError,
    },
    /// A vocabulary without the tokens of the prompt format.
    #[error("{}: the vocabulary has no control token {token}; use a Mistral v3 instruct model", path.display())]
    NoControlToken {
        /// The file.
        path: PathBuf,
        /// The token.
        token: &'static str,
    },
}

impl Model {
    /// Reads and checks a GGUF file of llama architecture (Mistral, Llama 2) with Mistral v3 control tokens.
    pub fn load(path: impl AsRef<Path>) -> Result<Model, LoadError> {
        let mut gguf = GgufFile::open(path.as_ref())?;
        let (path, content) = (gguf.path(), gguf.content());
        let bad_tokenizer = |source| LoadError::Tokenizer { path: path.to_owned(), source };
        let vocab = Vocab::try_from(gguf::vocab(path, content)?).map_err(bad_tokenizer)?;
        let tokenizer = Tokenizer::new(vocab).map_err(bad_tokenizer)?;
        let renderer =
            Renderer::new(&tokenizer).map_err(|token| LoadError::NoControlToken { path: path.to_owned(), token })?;
        let grammars = GrammarCompiler::new(&tokenizer, renderer.tool_calls)
            .map_err(|reason| LoadError::Damaged { path: path.to_owned(), reason })?;
        let weights = CandleModel::load(&mut gguf)?;
        let info = ModelInfo {
            name: gguf.shape().name.clone(),
            context_len: gguf.shape().context_len,
            vocab_size: gguf.shape().vocab_size,
            kv_bytes_per_token: weights.kv_bytes_per_token(),
            weight_bytes: gguf.tensor_bytes(),
        };
        Ok(Model { info, tokenizer: Arc::new(tokenizer), renderer, grammars, backend: CandleBackend::new(weights) })
    }

    /// What the model is.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// The part that computes, for an engine without the chat on top.
    pub fn into_backend(self) -> CandleBackend {
        self.backend
    }
}
