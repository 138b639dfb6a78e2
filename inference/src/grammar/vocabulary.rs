//! A model's vocabulary as llguidance sees it.

use std::sync::Arc;

use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};

use crate::tokenizer::{Piece, TokenId, Tokenizer};

/// Pieces as the bytes they spell, control tokens out of any text's reach.
pub(super) fn environment(tokenizer: &Tokenizer) -> TokEnv {
    let vocab = tokenizer.vocab();
    let words: Vec<Vec<u8>> = (0..)
        .zip(&vocab.pieces)
        .map(|(id, piece)| match piece {
            // The marker byte is never part of UTF-8, so leaving its token out loses nothing.
            Piece::Byte(TokTrie::SPECIAL_TOKEN_MARKER) | Piece::Unused(_) => Vec::new(),
            Piece::Text { .. } | Piece::Byte(_) => vocab.bytes(TokenId(id)),
            Piece::Control(name) => [&[TokTrie::SPECIAL_TOKEN_MARKER], name.as_bytes()].concat(),
        })
        .collect();
    let info = TokRxInfo { tok_bos: Some(vocab.bos.0), ..TokRxInfo::new(words.len() as u32, vocab.eos.0) };
    // Not canonical: nothing is forced on the model, each token is its own choice among the allowed.
    Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)))
}
