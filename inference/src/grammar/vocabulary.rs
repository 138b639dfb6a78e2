//! A model's vocabulary as llguidance sees it, and how text that a grammar forces is spelled in it.

use std::sync::Arc;

use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};

use crate::tokenizer::{Piece, TokenId, Tokenizer};

/// Begins the number of a control token among forced bytes: `\xff[5]`. Never part of UTF-8.
const MARKER: u8 = TokTrie::SPECIAL_TOKEN_MARKER;
/// No token reaches further back over tokens before it.
const MAX_REACH: usize = 4;

pub(super) struct Vocabulary {
    tokenizer: Arc<Tokenizer>,
    pub(super) environment: TokEnv,
}

impl Vocabulary {
    /// Pieces as the bytes they spell, control tokens out of any text's reach.
    pub(super) fn new(tokenizer: Arc<Tokenizer>) -> Self {
        let vocab = tokenizer.vocab();
        let words: Vec<Vec<u8>> = (0..)
            .zip(&vocab.pieces)
            .map(|(id, piece)| match piece {
                // No token spells the marker alone; leaving it out loses nothing.
                Piece::Byte(MARKER) | Piece::Unused(_) => Vec::new(),
                Piece::Text { .. } | Piece::Byte(_) => vocab.bytes(TokenId(id)),
                Piece::Control(name) => [&[MARKER], name.as_bytes()].concat(),
            })
            .collect();
        let info = TokRxInfo { tok_bos: Some(vocab.bos.0), ..TokRxInfo::new(words.len() as u32, vocab.eos.0) };
        // Not canonical: where there is a choice of tokens for the same text, it is the model's.
        let environment = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)));
        Vocabulary { tokenizer, environment }
    }

    /// The tokens of forced bytes, as the tokenizer splits them. Ends before the tokens in whose place the model may
    /// choose a longer one, which goes on beyond what is forced.
    pub(super) fn spell(&self, forced: &[u8]) -> Vec<TokenId> {
        let mut ids = Vec::new();
        let mut rest = forced;
        while let Some(first) = rest.first() {
            if *first == MARKER {
                let Some((id, after)) = control_token(&rest[1..]) else { return ids };
                ids.push(id);
                rest = after;
                continue;
            }
            let end = rest.iter().position(|byte| *byte == MARKER).unwrap_or(rest.len());
            let (bytes, after) = rest.split_at(end);
            let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            let first_of_text = ids.len();
            self.tokenizer.encode_continuation(text, &mut ids);
            if after.is_empty() {
                let num_open = self.num_open(&ids[first_of_text..]);
                ids.truncate(ids.len() - num_open);
            }
            if text.len() < bytes.len() {
                return ids;
            }
            rest = after;
        }
        ids
    }

    /// So many tokens at the end spell together the beginning of a longer one.
    fn num_open(&self, ids: &[TokenId]) -> usize {
        let trie = self.environment.tok_trie();
        let begins_longer = |num_last: &usize| {
            let last: Vec<u8> = ids[ids.len() - num_last..].iter().flat_map(|id| trie.token(id.0).to_vec()).collect();
            trie.child_at_bytes(trie.root(), &last).is_some_and(|node| node.subtree_size() > 1)
        };
        (1..=ids.len().min(MAX_REACH)).rev().find(begins_longer).unwrap_or(0)
    }
}

/// `[5]`, and what comes after it.
fn control_token(bytes: &[u8]) -> Option<(TokenId, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b']')?;
    let number = str::from_utf8(bytes[..end].strip_prefix(b"[")?).ok()?;
    Some((TokenId(number.parse().ok()?), &bytes[end + 1..]))
}
