//! Tokens to text while they arrive. A character split over several tokens is held back until it is whole.

use super::{TokenId, Tokenizer};

/// The bytes of a stream of tokens that are not yet text.
#[derive(Clone, Debug, Default)]
pub struct Detokenizer {
    held: Vec<u8>,
}

impl Detokenizer {
    /// The text that this token completes; control tokens have none.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: TokenId) -> String {
        self.push_bytes(&tokenizer.vocab().bytes(id))
    }

    /// What is left at the end: a replacement character if a character was cut short.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.held) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.held.clear();
                    return text;
                }
                Err(error) => {
                    let rest = self.held.split_off(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(&self.held));
                    self.held = rest;
                    let Some(wrong) = error.error_len() else {
                        return text;
                    };
                    self.held.drain(..wrong);
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[track_caller]
    fn check(parts: &[&[u8]], texts: &[&str], rest: &str) {
        let mut detokenizer = Detokenizer::default();
        let given: Vec<String> = parts.iter().map(|part| detokenizer.push_bytes(part)).collect();
        assert_eq!(given, texts);
        assert_eq!(detokenizer.finish(), rest);
    }

    #[test]
    fn a_character_split_over_tokens_comes_out_whole() {
        check(&[b"a\xe2", b"\x82", b"\xacb"], &["a", "", "\u{20ac}b"], "");
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        check(&[b"a\xffb", b"\xe2"], &["a\u{fffd}b", ""], "\u{fffd}");
        check(&[b"\xe2\x82", b"x"], &["", "\u{fffd}x"], "");
    }

    #[test]
    fn any_split_of_the_bytes_gives_the_same_text() {
        // Beginnings of characters of every length, what may follow them, and what may not.
        let bytes = b"ab\x80\x8f\x9f\xa0\xbf\xc0\xc3\xdf\xe0\xe2\xed\xef\xf0\xf4\xf5\xff";
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..5000 {
            let length = random.random_range(0..24);
            let whole: Vec<u8> = (0..length).filter_map(|_| bytes.choose(&mut random).copied()).collect();
            let mut detokenizer = Detokenizer::default();
            let (mut text, mut rest) = (String::new(), whole.as_slice());
            while !rest.is_empty() {
                let (part, after) = rest.split_at(random.random_range(1..=rest.len()));
                text.push_str(&detokenizer.push_bytes(part));
                rest = after;
            }
            text.push_str(&detokenizer.finish());
            assert_eq!(text, String::from_utf8_lossy(&whole), "{whole:x?}");
        }
    }
}
