//! Text to token ids and back, from a GGUF's own vocabulary (SentencePiece BPE with byte fallback).

mod detokenizer;
mod encode;
mod vocab;

pub use detokenizer::Detokenizer;
pub(crate) use vocab::{Piece, Vocab};

/// A token's number in the model's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u32);

/// A part of a prompt. Text never becomes a control token, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A token by its id.
    Control(TokenId),
    /// Text, encoded on its own: with the model's space in front, if its tokenizer wants one.
    Text(String),
}

/// Why a file's tokenizer cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TokenizerError {
    /// Another kind than SentencePiece BPE.
    #[error(
        "tokenizer.ggml.model is {0:?} but only \"llama\" (SentencePiece BPE) is supported; use a Mistral or Llama 2 style model"
    )]
    Kind(String),
    /// Lists that belong together differ in length.
    #[error(
        "{key} has {found} entries but tokenizer.ggml.tokens has {expected}; the file is damaged or was converted wrongly"
    )]
    Length {
        /// The list that differs.
        key: &'static str,
        /// Its length.
        found: usize,
        /// The number of tokens.
        expected: usize,
    },
    /// An id outside the vocabulary.
    #[error("{key} is {id} but the vocabulary has {vocab_size} tokens; the file is damaged or was converted wrongly")]
    BadId {
        /// The key that holds the id.
        key: &'static str,
        /// The id.
        id: u32,
        /// The number of tokens.
        vocab_size: usize,
    },
    /// The merges could not be built.
    #[error("cannot build the tokenizer from tokenizer.ggml.tokens: {0}")]
    Merges(String),
}

/// A model's tokenizer.
pub struct Tokenizer {
    vocab: Vocab,
    encoder: encode::Encoder,
}

impl Tokenizer {
    pub(crate) fn new(vocab: Vocab) -> Result<Self, TokenizerError> {
        let encoder = encode::Encoder::new(&vocab)?;
        Ok(Tokenizer { vocab, encoder })
    }

    /// The ids of a prompt, segment by segment.
    pub fn encode(&self, segments: &[Segment]) -> Vec<TokenId> {
        let mut ids = Vec::new();
        for segment in segments {
            match segment {
                Segment::Control(id) => ids.push(*id),
                Segment::Text(text) => self.encoder.encode(text, &mut ids),
            }
        }
        ids
    }

    /// The ids of one text.
    pub fn encode_text(&self, text: &str) -> Vec<TokenId> {
        let mut ids = Vec::new();
        self.encoder.encode(text, &mut ids);
        ids
    }

    /// Adds the ids of text in the middle of an output, where nothing goes in front.
    pub fn encode_continuation(&self, text: &str, ids: &mut Vec<TokenId>) {
        self.encoder.encode_continuation(text, ids);
    }

    /// The text of complete output; bytes that are not UTF-8 become replacement characters, control tokens nothing.
    pub fn decode(&self, ids: &[TokenId]) -> String {
        let mut detokenizer = Detokenizer::default();
        let mut text: String = ids.iter().map(|id| detokenizer.push(self, *id)).collect();
        text.push_str(&detokenizer.finish());
        text
    }

    /// The id of a control token, such as `[INST]`.
    pub fn control(&self, name: &str) -> Option<TokenId> {
        self.vocab.control(name)
    }

    /// The token that begins every prompt.
    pub fn bos(&self) -> TokenId {
        self.vocab.bos
    }

    /// The token that ends every answer.
    pub fn eos(&self) -> TokenId {
        self.vocab.eos
    }

    /// How many tokens there are.
    pub fn vocab_size(&self) -> usize {
        self.vocab.pieces.len()
    }

    pub(crate) fn vocab(&self) -> &Vocab {
        &self.vocab
    }
}
