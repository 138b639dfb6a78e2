//! A vocabulary without training: control tokens, all bytes, characters, and short strings of letters.

use crate::vocab::{BYTE, CONTROL, NORMAL, RawVocab, UNKNOWN};

/// Mistral v3's.
const CONTROLS: [&str; 10] = [
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
];
const SPACE: char = '\u{2581}';

/// Shorter pieces come first, so that each can be merged from those before it.
pub(super) fn vocab(size: usize) -> RawVocab {
    let controls =
        CONTROLS.iter().zip([UNKNOWN].into_iter().chain([CONTROL; 9])).map(|(name, kind)| ((*name).to_owned(), kind));
    let bytes = (0..=255_u8).map(|byte| (format!("<0x{byte:02X}>"), BYTE));
    let characters = std::iter::once(SPACE).chain('!'..='~').map(|character| (character.to_string(), NORMAL));
    let words = (1..).flat_map(words).map(|word| (word, NORMAL));
    let (tokens, token_types): (Vec<String>, Vec<i32>) =
        controls.chain(bytes).chain(characters).chain(words).take(size).unzip();
    let first_text = CONTROLS.len() + 256;
    let scores = (0..tokens.len()).map(|id| -(id.saturating_sub(first_text) as f32)).collect();
    let model = "llama".to_owned();
    RawVocab { model, tokens, scores, token_types, bos: 1, eos: 2, add_space_prefix: true, ..RawVocab::default() }
}

/// Every string of so many letters, without a space in front (from two letters on) and with one.
fn words(length: u32) -> impl Iterator<Item = String> {
    let word = move |number: u32| -> String {
        (0..length).rev().map(|place| char::from(b'a' + (number / 26_u32.pow(place) % 26) as u8)).collect()
    };
    (0..26_u32.pow(length)).flat_map(move |number| {
        let (plain, spaced) = (word(number), format!("{SPACE}{}", word(number)));
        (length > 1).then_some(plain).into_iter().chain([spaced])
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_piece_is_there_twice() {
        let vocab = vocab(32_000);
        assert_eq!(vocab.tokens.len(), 32_000);
        assert_eq!(vocab.tokens.iter().collect::<BTreeSet<_>>().len(), 32_000);
    }

    #[test]
    fn every_piece_can_be_merged_from_earlier_ones() {
        let vocab = vocab(8_000);
        let mut known = BTreeSet::new();
        for piece in &vocab.tokens[CONTROLS.len() + 256..] {
            let mut splits = piece.char_indices().skip(1).map(|(at, _)| piece.split_at(at));
            let merged = splits.any(|(left, right)| known.contains(left) && known.contains(right));
            assert!(merged || piece.chars().count() == 1, "{piece}");
            known.insert(piece.as_str());
        }
    }
}
