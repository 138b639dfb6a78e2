//! The vocabulary of a GGUF file: what each token is.

use std::collections::HashMap;

use gguf::RawVocab;

use super::{TokenId, TokenizerError};

/// Stands for a space inside pieces.
pub(super) const SPACE: char = '\u{2581}';

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text, with `▁` for spaces; pieces of a higher score are merged first.
    Text { piece: String, score: f32 },
    /// One byte, for what no piece spells.
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
    pub(crate) add_space_prefix: bool,
    controls: HashMap<String, TokenId>,
}

impl TryFrom<RawVocab> for Vocab {
    type Error = TokenizerError;

    fn try_from(raw: RawVocab) -> Result<Self, TokenizerError> {
        if raw.model != "llama" {
            return Err(TokenizerError::Kind(raw.model));
        }
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
        let attributes = raw.scores.into_iter().zip(raw.token_types);
        let pieces: Vec<Piece> = raw
            .tokens
            .into_iter()
            .zip(attributes)
            .map(|(piece, (score, token_type))| Piece::new(piece, score, token_type))
            .collect();
        let controls = pieces
            .iter()
            .zip(0..)
            .filter_map(|(piece, id)| match piece {
                Piece::Control(name) => Some((name.clone(), TokenId(id))),
                Piece::Text { .. } | Piece::Byte(_) | Piece::Unused(_) => None,
            })
            .collect();
        let (bos, eos, add_space_prefix) = (TokenId(raw.bos), TokenId(raw.eos), raw.add_space_prefix);
        Ok(Vocab { pieces, bos, eos, add_space_prefix, controls })
    }
}

impl Vocab {
    pub(super) fn control(&self, name: &str) -> Option<TokenId> {
        self.controls.get(name).copied()
    }

    /// What a token adds to a text; nothing for control tokens.
    pub(crate) fn bytes(&self, id: TokenId) -> Vec<u8> {
        match self.pieces.get(id.0 as usize) {
            Some(Piece::Text { piece, .. }) => piece.replace(SPACE, " ").into_bytes(),
            Some(Piece::Byte(byte)) => vec![*byte],
            Some(Piece::Control(_) | Piece::Unused(_)) | None => Vec::new(),
        }
    }
}

impl Piece {
    /// `token_type` as in GGUF: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    fn new(piece: String, score: f32, token_type: i32) -> Self {
        match token_type {
            3 => Piece::Control(piece),
            2 | 5 => Piece::Unused(piece),
            6 => match byte_of(&piece) {
                Some(byte) => Piece::Byte(byte),
                None => Piece::Unused(piece),
            },
            _ => Piece::Text { piece, score },
        }
    }
}

/// `<0x41>` is 0x41.
fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}
