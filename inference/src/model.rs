//! A model file, loaded and ready to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gguf::{ModelFile, Problem};

use crate::backend::{Backend, CandleBackend, CandleModel};
use crate::chat::Renderer;
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
    /// What the file says of itself, or its tensors.
    #[error(transparent)]
    File(#[from] gguf::Error),
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
        let file = ModelFile::open(path)?;
        file.check_memory(0)?;
        let path = file.path();
        let bad_tokenizer = |source| LoadError::Tokenizer { path: path.to_owned(), source };
        let vocab = Vocab::try_from(file.vocab().clone()).map_err(bad_tokenizer)?;
        let tokenizer = Tokenizer::new(vocab).map_err(bad_tokenizer)?;
        let renderer =
            Renderer::new(&tokenizer).map_err(|token| LoadError::NoControlToken { path: path.to_owned(), token })?;
        let grammars = GrammarCompiler::new(&tokenizer, renderer.tool_calls)
            .map_err(|reason| Problem::Damaged(reason).of(path))?;
        let backend = CandleBackend::new(CandleModel::load(&file)?);
        let info = ModelInfo {
            name: file.shape().name.clone(),
            context_len: backend.context_len(),
            vocab_size: backend.vocab_size(),
            kv_bytes_per_token: backend.kv_bytes_per_token(),
            weight_bytes: file.tensor_bytes(),
        };
        Ok(Model { info, tokenizer: Arc::new(tokenizer), renderer, grammars, backend })
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
