//! A model file, loaded and ready to run.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gguf::{Format, ModelFile, Problem, Shape};
use kernels::kv::{KvKind, KvShape};

use crate::backend::{Backend, CandleBackend, CandleModel, PackError, PackedBackend};
use crate::chat::{Renderer, UnusableFormat};
use crate::grammar::GrammarCompiler;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Weights, tokenizer and what belongs to them. [`crate::ChatModel::start`] runs it.
pub struct Model {
    pub(crate) info: ModelInfo,
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) renderer: Renderer,
    pub(crate) grammars: GrammarCompiler,
    pub(crate) backend: Box<dyn Backend>,
}

/// How a model is to be loaded.
#[derive(Default)]
pub struct LoadOptions<'a> {
    /// What computes.
    pub backend: BackendChoice,
    /// Threads of the packed backend; all cores that the process may use if absent.
    pub threads: Option<NonZeroUsize>,
    /// How the packed backend keeps keys and values.
    pub kv: KvKind,
    /// Format that the matrices of a folder in Hugging Face's layout are read in; Q8_0 if absent.
    pub format: Option<Format>,
    /// Memory for keys and values. As it is taken when it is used, only so much of it as one full context needs has to be
    /// free besides the weights.
    pub reserve_bytes: u64,
    /// Hears how many of the file's bytes are in their place, and how many there are.
    pub progress: Option<&'a dyn Fn(u64, u64)>,
}

/// Which backend computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendChoice {
    /// The packed one where it runs, candle elsewhere.
    #[default]
    Auto,
    /// Our own kernels, for x86-64.
    Packed,
    /// Candle, on any processor that it supports.
    Candle,
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
    /// Packing it for the kernels.
    #[error("{}: the model cannot be packed", path.display())]
    Pack {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PackError,
    },
    /// A model that the packed backend does not compute, or a processor that it does not run on.
    #[error("{}: the packed backend needs x86-64 and heads of a multiple of 16, here {head_dim}; choose candle", path.display())]
    NotPackable {
        /// The file.
        path: PathBuf,
        /// Width of the model's heads.
        head_dim: usize,
    },
    /// A model whose prompts cannot be made.
    #[error("{}: no prompts can be made for it", path.display())]
    PromptFormat {
        /// The file.
        path: PathBuf,
        /// Why.
        source: UnusableFormat,
    },
}

impl Model {
    /// Reads and checks a model of llama architecture (Mistral, Llama 2) with Mistral v3 control tokens or a chat template:
    /// a GGUF file, or a folder in Hugging Face's layout.
    pub fn load(path: impl AsRef<Path>) -> Result<Model, LoadError> {
        Model::load_with(path, LoadOptions::default())
    }

    /// As `load`, with a say in what computes and how.
    pub fn load_with(path: impl AsRef<Path>, options: LoadOptions<'_>) -> Result<Model, LoadError> {
        let file = ModelFile::open_as(path, options.format.unwrap_or(Format::Q8_0))?;
        let is_packed = is_packed(&file, options.backend)?;
        file.check_memory(options.reserve_bytes.min(context_bytes(file.shape(), is_packed, options.kv)))?;
        let path = file.path();
        let bad_tokenizer = |source| LoadError::Tokenizer { path: path.to_owned(), source };
        let tokenizer = Arc::new(Tokenizer::new(file.vocab()).map_err(bad_tokenizer)?);
        let renderer = Renderer::new(&tokenizer, file.vocab().chat_template.as_deref())
            .map_err(|source| LoadError::PromptFormat { path: path.to_owned(), source })?;
        let grammars = GrammarCompiler::new(tokenizer.clone(), renderer.tool_calls())
            .map_err(|reason| Problem::Damaged(reason).of(path))?;
        let backend = backend(&file, is_packed, &options)?;
        let info = ModelInfo {
            name: file.shape().name.clone(),
            context_len: backend.context_len(),
            vocab_size: backend.vocab_size(),
            kv_bytes_per_token: backend.kv_bytes_per_token(),
            weight_bytes: file.tensor_bytes(),
        };
        Ok(Model { info, tokenizer, renderer, grammars, backend })
    }

    /// What the model is.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// What makes its prompts.
    pub fn renderer(&self) -> &Renderer {
        &self.renderer
    }

    /// The same model with another part that computes, of the same vocabulary: for tests and measurements.
    pub fn with_backend(self, backend: Box<dyn Backend>) -> Model {
        Model { backend, ..self }
    }

    /// The part that computes, for an engine without the chat on top.
    pub fn into_backend(self) -> Box<dyn Backend> {
        self.backend
    }
}

fn is_packed(file: &ModelFile, choice: BackendChoice) -> Result<bool, LoadError> {
    match choice {
        BackendChoice::Auto => Ok(PackedBackend::runs(file)),
        BackendChoice::Packed if !PackedBackend::runs(file) => {
            let (path, head_dim) = (file.path().to_owned(), file.shape().head_dim);
            Err(LoadError::NotPackable { path, head_dim })
        }
        BackendChoice::Packed => Ok(true),
        BackendChoice::Candle => Ok(false),
    }
}

/// Keys and values of one full context.
fn context_bytes(shape: &Shape, is_packed: bool, kind: KvKind) -> u64 {
    if !is_packed {
        return CandleModel::context_bytes(shape);
    }
    let &Shape { layers: num_layers, kv_heads: num_kv_heads, head_dim, .. } = shape;
    let per_token = KvShape { num_layers, num_kv_heads, head_dim, kind }.bytes_per_token();
    shape.context_len as u64 * per_token as u64
}

fn backend(file: &ModelFile, is_packed: bool, options: &LoadOptions<'_>) -> Result<Box<dyn Backend>, LoadError> {
    if !is_packed {
        return Ok(Box::new(CandleBackend::new(CandleModel::load(file)?)));
    }
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let total = file.tensor_bytes();
    let progress = |bytes| options.progress.map_or((), |progress| progress(bytes, total));
    let packed = PackedBackend::load(file, threads, options.kv, &progress);
    Ok(Box::new(packed.map_err(|source| LoadError::Pack { path: file.path().to_owned(), source })?))
}
