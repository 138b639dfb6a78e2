//! Text to token ids and back, from a model's own vocabulary: SentencePiece BPE with byte fallback, or byte-level BPE.

mod byte_level;
mod detokenizer;
mod sentencepiece;
mod vocab;

use byte_level::ByteLevel;
use gguf::RawVocab;
use sentencepiece::SentencePiece;

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
    /// Another kind than those known.
    #[error(
        "tokenizer.ggml.model is {0:?} but only \"llama\" (SentencePiece BPE) and \"gpt2\" (byte-level BPE) are \
         supported; use a model of the Mistral, Llama or Qwen family"
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
    #[error("cannot build the tokenizer from tokenizer.ggml.tokens and merges: {0}; convert the model anew")]
    Merges(String),
    /// A byte that text could not be spelled with.
    #[error("the vocabulary has no token for the byte {0:#04x}; convert the model anew")]
    NoByte(u8),
    /// A regular expression that cannot be compiled.
    #[error("the tokenizer splits text by {pattern:?}, which cannot be used: {reason}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// What the compiler says.
        reason: String,
    },
}

/// A model's tokenizer.
pub struct Tokenizer {
    vocab: Vocab,
    encoder: Encoder,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each model")]
enum Encoder {
    SentencePiece(SentencePiece),
    ByteLevel(ByteLevel),
}

impl Tokenizer {
    /// The tokenizer of a model's file.
    pub fn new(raw: &RawVocab) -> Result<Self, TokenizerError> {
        let vocab = Vocab::new(raw)?;
        let encoder = match (raw.model.as_str(), &raw.pre_tokenizer) {
            ("llama", _) => Encoder::SentencePiece(SentencePiece::new(raw, &vocab)?),
            ("gpt2", Some(pre_tokenizer)) => Encoder::ByteLevel(ByteLevel::new(raw, pre_tokenizer)?),
            (other, _) => return Err(TokenizerError::Kind(other.to_owned())),
        };
        Ok(Tokenizer { vocab, encoder })
    }

    /// The ids of a prompt, segment by segment.
    pub fn encode(&self, segments: &[Segment]) -> Vec<TokenId> {
        let mut ids = Vec::new();
        for segment in segments {
            match segment {
                Segment::Control(id) => ids.push(*id),
                Segment::Text(text) => self.add(text, &mut ids),
            }
        }
        ids
    }

    /// The ids of one text.
    pub fn encode_text(&self, text: &str) -> Vec<TokenId> {
        let mut ids = Vec::new();
        self.add(text, &mut ids);
        ids
    }

    /// Adds the ids of text in the middle of an output, where nothing goes in front. They decode to exactly this text.
    pub fn encode_continuation(&self, text: &str, ids: &mut Vec<TokenId>) {
        match &self.encoder {
            Encoder::SentencePiece(encoder) => encoder.encode_continuation(text, ids),
            Encoder::ByteLevel(encoder) => encoder.encode_continuation(text, ids),
        }
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

    /// What a token adds to a text; nothing for control tokens.
    pub fn bytes(&self, id: TokenId) -> Vec<u8> {
        self.vocab.bytes(id)
    }

    /// What a control token is called.
    pub fn control_name(&self, id: TokenId) -> Option<&str> {
        self.vocab.name(id)
    }

    /// Tokens that a chat template writes by their names: control tokens, and those that were put into the vocabulary by
    /// hand, such as `<tool_call>`. In no order.
    pub(crate) fn markers(&self) -> impl Iterator<Item = (&str, TokenId)> {
        self.vocab.markers()
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

    fn add(&self, text: &str, ids: &mut Vec<TokenId>) {
        match &self.encoder {
            Encoder::SentencePiece(encoder) => encoder.encode(text, ids),
            Encoder::ByteLevel(encoder) => encoder.encode(text, ids),
        }
    }

    pub(crate) fn vocab(&self) -> &Vocab {
        &self.vocab
    }
}
