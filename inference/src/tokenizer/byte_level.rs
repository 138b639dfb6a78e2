//! Byte-level BPE, as GPT-2, Llama 3, Qwen and Tekken have it: a text is split by regular expressions, and the bytes of
//! each split, written as printable characters, are merged.

use std::borrow::Cow;
use std::ops::Range;

use gguf::{PreTokenizer, RawVocab};
use tokenizers::models::bpe::{BPE, Merges, Vocab as BpeVocab};
use tokenizers::normalizers::NFC;
use tokenizers::utils::SysRegex;
use tokenizers::{Model as _, NormalizedString, Normalizer as _};

use super::vocab::{NORMAL, alphabet};
use super::{TokenId, TokenizerError};

pub(super) struct ByteLevel {
    bpe: BPE,
    patterns: Vec<SysRegex>,
    nfc: bool,
    alphabet: [char; 256],
}

impl ByteLevel {
    pub(super) fn new(raw: &RawVocab, pre_tokenizer: &PreTokenizer) -> Result<Self, TokenizerError> {
        let names = names(raw)?;
        let merges = merges(raw, &names)?;
        let bpe = BPE::builder()
            .vocab_and_merges(names, merges)
            .cache_capacity(0)
            .ignore_merges(pre_tokenizer.whole_words)
            .build()
            .map_err(|error| TokenizerError::Merges(error.to_string()))?;
        let pattern = |pattern: &String| {
            SysRegex::new(pattern)
                .map_err(|error| TokenizerError::Pattern { pattern: pattern.clone(), reason: error.to_string() })
        };
        let patterns = pre_tokenizer.patterns.iter().map(pattern).collect::<Result<_, _>>()?;
        Ok(ByteLevel { bpe, patterns, nfc: pre_tokenizer.nfc, alphabet: alphabet() })
    }

    pub(super) fn encode(&self, text: &str, ids: &mut Vec<TokenId>) {
        let text = if self.nfc && !text.is_ascii() { composed(text) } else { text.into() };
        self.encode_continuation(&text, ids);
    }

    pub(super) fn encode_continuation(&self, text: &str, ids: &mut Vec<TokenId>) {
        let mut spelled = String::new();
        for split in self.splits(text) {
            spelled.clear();
            spelled.extend(text[split].bytes().map(|byte| self.alphabet[usize::from(byte)]));
            // Merging never fails: every byte has a token.
            let tokens = self.bpe.tokenize(&spelled).unwrap_or_default();
            ids.extend(tokens.iter().map(|token| TokenId(token.id)));
        }
    }

    fn splits(&self, text: &str) -> Vec<Range<usize>> {
        let whole = Vec::from_iter((!text.is_empty()).then_some(0..text.len()));
        self.patterns.iter().fold(whole, |splits, pattern| {
            splits.into_iter().flat_map(|split| matches_and_gaps(pattern, text, split)).collect()
        })
    }
}

/// The matches of a pattern in a part of a text, and what lies between them.
fn matches_and_gaps(pattern: &SysRegex, text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let (mut ranges, mut end) = (Vec::new(), part.start);
    for (from, to) in pattern.find_iter(&text[part.clone()]) {
        ranges.push(end..part.start + from);
        ranges.push(part.start + from..part.start + to);
        end = part.start + to;
    }
    ranges.push(end..part.end);
    ranges.retain(|range| !range.is_empty());
    ranges
}

/// In Unicode's form NFC.
fn composed(text: &str) -> Cow<'_, str> {
    let mut normalized = NormalizedString::from(text);
    match NFC.normalize(&mut normalized) {
        Ok(()) => normalized.get().to_owned().into(),
        Err(_) => text.into(),
    }
}

/// The tokens that text is merged to, all single bytes among them.
fn names(raw: &RawVocab) -> Result<BpeVocab, TokenizerError> {
    let tokens = (0..).zip(&raw.tokens).zip(&raw.token_types).filter(|(_, kind)| **kind == NORMAL);
    let names: BpeVocab = tokens.map(|((id, token), _)| (token.clone(), id)).collect();
    let mut bytes = (0..=255_u8).zip(alphabet());
    match bytes.find(|(_, character)| !names.contains_key(character.encode_utf8(&mut [0; 4]) as &str)) {
        Some((byte, _)) => Err(TokenizerError::NoByte(byte)),
        None => Ok(names),
    }
}

fn merges(raw: &RawVocab, names: &BpeVocab) -> Result<Merges, TokenizerError> {
    let merge = |line: &String| {
        let (left, right) = line.split_once(' ')?;
        let known = [left, right, &format!("{left}{right}")].iter().all(|piece| names.contains_key(*piece));
        known.then(|| (left.to_owned(), right.to_owned()))
    };
    let merge =
        |line| merge(line).ok_or_else(|| TokenizerError::Merges(format!("{line:?} does not merge tokens into one")));
    raw.merges.iter().map(merge).collect()
}
