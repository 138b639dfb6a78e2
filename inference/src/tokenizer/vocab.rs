//! The vocabulary of a model's file: what each token is.

use std::collections::HashMap;

use gguf::RawVocab;

use super::{TokenId, TokenizerError};

/// Stands for a space inside SentencePiece's pieces.
pub(super) const SPACE: char = '\u{2581}';

/// `token_type` as in GGUF; besides, there are normal ones.
pub(super) const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// The bytes that it adds to a text: characters, or parts of them.
    Text(Box<[u8]>),
    /// One byte.
    Byte(u8),
    /// Never part of a text.
    Control(String),
    /// For what cannot be spelled at all, and ids that are not in use.
    Unused(String),
}

/// All tokens, by id.
#[derive(Clone, Debug)]
pub(crate) struct Vocab {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) bos: TokenId,
    pub(crate) eos: TokenId,
    controls: HashMap<String, TokenId>,
    /// Tokens that were put into the vocabulary by hand and spell text, such as `<tool_call>`.
    user_defined: HashMap<String, TokenId>,
}

impl Vocab {
    pub(super) fn new(raw: &RawVocab) -> Result<Self, TokenizerError> {
        let expected = raw.tokens.len();
        let lengths =
            [("tokenizer.ggml.scores", raw.scores.len()), ("tokenizer.ggml.token_type", raw.token_types.len())];
        if let Some((key, found)) = lengths.into_iter().find(|(_, found)| *found != expected) {
            return Err(TokenizerError::Length { key, found, expected });
        }
        let ids = [("tokenizer.ggml.bos_token_id", raw.bos), ("tokenizer.ggml.eos_token_id", raw.eos)];
        if let Some((key, id)) = ids.into_iter().find(|(_, id)| *id as usize >= expected) {
            return Err(TokenizerError::BadId { key, id, vocab_size: expected });
        }
        let bytes: HashMap<char, u8> = alphabet().into_iter().zip(0..=255).collect();
        let bytes = raw.pre_tokenizer.is_some().then_some(&bytes);
        let kinds = raw.tokens.iter().zip(&raw.token_types);
        let named = |wanted: i32| {
            let tokens = kinds.clone().zip(0..).filter(|((_, kind), _)| **kind == wanted);
            tokens.map(|((name, _), id)| (name.clone(), TokenId(id))).collect()
        };
        Ok(Vocab {
            pieces: kinds.clone().map(|(token, kind)| Piece::new(token, *kind, bytes)).collect(),
            bos: TokenId(raw.bos),
            eos: TokenId(raw.eos),
            controls: named(CONTROL),
            user_defined: named(USER_DEFINED),
        })
    }

    pub(super) fn control(&self, name: &str) -> Option<TokenId> {
        self.controls.get(name).copied()
    }

    /// Tokens that are written as they are called, in no order.
    pub(super) fn markers(&self) -> impl Iterator<Item = (&str, TokenId)> {
        self.controls.iter().chain(&self.user_defined).map(|(name, id)| (name.as_str(), *id))
    }

    /// What a control token is called.
    pub(super) fn name(&self, id: TokenId) -> Option<&str> {
        match self.pieces.get(id.0 as usize) {
            Some(Piece::Control(name)) => Some(name),
            Some(Piece::Text(_) | Piece::Byte(_) | Piece::Unused(_)) | None => None,
        }
    }

    /// What a token adds to a text; nothing for control tokens.
    pub(crate) fn bytes(&self, id: TokenId) -> Vec<u8> {
        match self.pieces.get(id.0 as usize) {
            Some(Piece::Text(bytes)) => bytes.to_vec(),
            Some(Piece::Byte(byte)) => vec![*byte],
            Some(Piece::Control(_) | Piece::Unused(_)) | None => Vec::new(),
        }
    }
}

impl Piece {
    /// `bytes` are those that characters stand for in a byte-level vocabulary.
    fn new(token: &str, kind: i32, bytes: Option<&HashMap<char, u8>>) -> Self {
        let spelled =
            |bytes: &HashMap<char, u8>| token.chars().map(|character| bytes.get(&character).copied()).collect();
        let text: Option<Vec<u8>> = match (kind, bytes) {
            (CONTROL, _) => return Piece::Control(token.to_owned()),
            (UNKNOWN | UNUSED, _) => None,
            (BYTE, _) => byte_of(token).map(|byte| vec![byte]),
            (USER_DEFINED, Some(_)) => Some(token.into()),
            (_, Some(bytes)) => spelled(bytes),
            (_, None) => return Piece::Text(token.replace(SPACE, " ").into_bytes().into()),
        };
        match text.as_deref() {
            Some([byte]) => Piece::Byte(*byte),
            Some(text) => Piece::Text(text.into()),
            None => Piece::Unused(token.to_owned()),
        }
    }
}

/// `<0x41>` is 0x41.
fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The character that stands for each byte in a byte-level vocabulary: printable ones for themselves, those from U+0100
/// on for the others. GPT-2's `bytes_to_unicode`.
pub(super) fn alphabet() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        byte @ (b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) => char::from(byte),
        _ => others.next().unwrap_or_default(),
    })
}
