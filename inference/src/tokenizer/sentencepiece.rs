//! SentencePiece BPE: merges in the order of the pieces' scores over a whole text, bytes for what no piece spells.

use std::collections::HashSet;

use gguf::RawVocab;
use tokenizers::Model as _;
use tokenizers::models::bpe::{BPE, Merges, Vocab as BpeVocab};

use super::vocab::SPACE;
use super::{Piece, TokenId, TokenizerError, Vocab};

/// Never found in a text: lookups are by one character or by merges, and no merge gives it.
const UNKNOWN: &str = "<unknown>";

pub(super) struct SentencePiece {
    bpe: BPE,
    add_space_prefix: bool,
}

impl SentencePiece {
    pub(super) fn new(raw: &RawVocab, vocab: &Vocab) -> Result<Self, TokenizerError> {
        let bpe = BPE::builder()
            .vocab_and_merges(names(raw, vocab), merges(raw, vocab))
            .cache_capacity(0)
            .byte_fallback(true)
            .unk_token(UNKNOWN.to_owned())
            .fuse_unk(true)
            .build()
            .map_err(|error| TokenizerError::Merges(error.to_string()))?;
        Ok(SentencePiece { bpe, add_space_prefix: raw.add_space_prefix })
    }

    pub(super) fn encode(&self, text: &str, ids: &mut Vec<TokenId>) {
        if text.is_empty() {
            return;
        }
        let prefix = if self.add_space_prefix { " " } else { "" };
        self.encode_continuation(&format!("{prefix}{text}"), ids);
    }

    /// Takes n log n of a text's length: the merger keeps what can be merged in a heap.
    pub(super) fn encode_continuation(&self, text: &str, ids: &mut Vec<TokenId>) {
        let spelled = text.replace(' ', SPACE.encode_utf8(&mut [0; 4]));
        // Merging fails only without an unknown token, and `names` always gives one.
        let tokens = self.bpe.tokenize(&spelled).unwrap_or_default();
        ids.extend(tokens.iter().map(|token| TokenId(token.id)));
    }
}

/// Every piece that text can be spelled with, under the names that the merger looks up.
fn names(raw: &RawVocab, vocab: &Vocab) -> BpeVocab {
    let mut names = BpeVocab::default();
    let unknown = vocab.pieces.iter().position(|piece| matches!(piece, Piece::Unused(_))).unwrap_or(0);
    names.insert(UNKNOWN.to_owned(), unknown as u32);
    for ((id, piece), token) in (0..).zip(&vocab.pieces).zip(&raw.tokens) {
        match piece {
            Piece::Text(_) => names.insert(token.clone(), id),
            Piece::Byte(byte) => names.insert(format!("<{byte:#04X}>"), id),
            Piece::Control(_) | Piece::Unused(_) => continue,
        };
    }
    names
}

/// Every way to put a piece together from two others, the best score first; of one piece, the longest left part first.
fn merges(raw: &RawVocab, vocab: &Vocab) -> Merges {
    let tokens = raw.tokens.iter().map(String::as_str).zip(&raw.scores);
    let texts: Vec<(&str, f32)> = tokens
        .zip(&vocab.pieces)
        .filter_map(|((token, score), piece)| match piece {
            Piece::Text(_) => Some((token, *score)),
            Piece::Byte(_) | Piece::Control(_) | Piece::Unused(_) => None,
        })
        .collect();
    let known: HashSet<&str> = texts.iter().map(|(piece, _)| *piece).collect();
    let mut merges: Vec<(&str, &str, f32)> = Vec::new();
    for (piece, score) in texts {
        let splits = piece.char_indices().skip(1).map(|(at, _)| piece.split_at(at));
        let spelled = splits.filter(|(left, right)| known.contains(left) && known.contains(right));
        merges.extend(spelled.map(|(left, right)| (left, right, score)));
    }
    merges.sort_by(|a, b| b.2.total_cmp(&a.2).then(b.0.len().cmp(&a.0.len())));
    merges.into_iter().map(|(left, right, _)| (left.to_owned(), right.to_owned())).collect()
}
