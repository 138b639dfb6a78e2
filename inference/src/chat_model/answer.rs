//! The text of an answer while it is written: what is certain of it, up to the first stop text.

use std::collections::VecDeque;

use super::{ReplyEvent, TokenLogprobs};
use crate::grammar::Lead;

/// Holds back what may be the beginning of a stop text, and tokens until their text is given.
#[derive(Debug, Default)]
pub(super) struct Answer {
    stops: Vec<String>,
    /// Whether the next character may still be the tokenizer's space, which is dropped.
    drops_space: bool,
    held: String,
    /// Length of the text given so far.
    num_given: usize,
    tokens: VecDeque<Pending>,
}

/// A token whose text is not all given; where that begins and ends in the answer.
#[derive(Debug)]
struct Pending {
    start: usize,
    end: usize,
    token: TokenLogprobs,
}

/// Whether the answer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    /// A stop text came.
    Stopped,
}

impl Answer {
    pub(super) fn new(stops: Vec<String>, lead: Lead) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Answer { stops, drops_space: lead == Lead::Space, ..Answer::default() }
    }

    /// Takes in what a token adds, which may be nothing, and gives what has become certain.
    pub(super) fn push(&mut self, text: &str, token: Option<TokenLogprobs>) -> (Option<ReplyEvent>, Flow) {
        let start = self.num_given + self.held.len();
        let (added, token) = match text.strip_prefix(' ') {
            Some(rest) if self.drops_space => (rest, token.map(without_space)),
            _ => (text, token),
        };
        self.drops_space &= text.is_empty();
        self.held.push_str(added);
        let end = start + added.len();
        self.tokens.extend(token.map(|token| Pending { start, end, token }));
        if let Some(at) = self.find_stop() {
            self.held.truncate(at);
            let end = self.num_given + at;
            return (self.give(at, |pending| pending.start < end), Flow::Stopped);
        }
        let certain = self.held.len() - self.num_uncertain();
        let end = self.num_given + certain;
        let event = if certain > 0 { self.give(certain, |pending| pending.end <= end) } else { None };
        (event, Flow::Open)
    }

    /// Gives the rest, with what the tokens so far leave of a last character.
    pub(super) fn finish(mut self, rest: &str) -> Option<ReplyEvent> {
        self.held.push_str(rest);
        self.give(self.held.len(), |_| true)
    }

    /// Where the stop text begins that was complete first.
    fn find_stop(&self) -> Option<usize> {
        let found = self.stops.iter().filter_map(|stop| Some((self.held.find(stop)?, stop.len())));
        found.min_by_key(|(at, len)| (at + len, *at)).map(|(at, _)| at)
    }

    /// Length of the longest end of the text that a stop text begins with.
    fn num_uncertain(&self) -> usize {
        let begins = |stop: &String| {
            let mut lengths = stop.char_indices().map(|(at, _)| at).rev();
            lengths.find(|length| self.held.ends_with(&stop[..*length])).unwrap_or(0)
        };
        self.stops.iter().map(begins).max().unwrap_or(0)
    }

    fn give(&mut self, length: usize, is_given: impl Fn(&Pending) -> bool) -> Option<ReplyEvent> {
        let rest = self.held.split_off(length);
        let text = std::mem::replace(&mut self.held, rest);
        self.num_given += text.len();
        let num_tokens = self.tokens.iter().take_while(|pending| is_given(pending)).count();
        let tokens: Vec<TokenLogprobs> = self.tokens.drain(..num_tokens).map(|pending| pending.token).collect();
        (!text.is_empty() || !tokens.is_empty()).then_some(ReplyEvent::Text { text, tokens })
    }
}

/// The token as it stands in the answer, among its rivals, too: its bytes add up to the text.
fn without_space(mut token: TokenLogprobs) -> TokenLogprobs {
    let chosen = token.token.id;
    let rivals = token.top.iter_mut().map(|(rival, _)| rival).filter(|rival| rival.id == chosen);
    for piece in rivals.chain([&mut token.token]).filter(|piece| piece.bytes.first() == Some(&b' ')) {
        piece.bytes.remove(0);
        piece.text.remove(0);
    }
    token
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::super::TokenPiece;
    use super::*;
    use crate::tokenizer::TokenId;

    fn token(id: usize) -> TokenLogprobs {
        let token = TokenPiece { id: TokenId(id as u32), text: String::new(), bytes: Vec::new() };
        TokenLogprobs { token, logprob: 0.0, top: Vec::new() }
    }

    /// What each piece gives, then what the end gives: text and the numbers of the pieces. A stop ends it.
    fn given(stops: &[&str], pieces: &[&str]) -> Vec<(String, Vec<u32>)> {
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut answer = Answer::new(stops, Lead::Space);
        let mut given = Vec::new();
        let mut add = |event: Option<ReplyEvent>| match event {
            Some(ReplyEvent::Text { text, tokens }) => {
                given.push((text, tokens.into_iter().map(|token| token.token.id.0).collect()));
            }
            Some(other) => panic!("{other:?}"),
            None => given.push((String::new(), Vec::new())),
        };
        for (index, piece) in pieces.iter().enumerate() {
            let (event, flow) = answer.push(piece, Some(token(index)));
            add(event);
            if flow == Flow::Stopped {
                return given;
            }
        }
        add(answer.finish(""));
        given
    }

    #[track_caller]
    fn check(stops: &[&str], pieces: &[&str], expected: &[&str]) {
        let texts: Vec<String> = given(stops, pieces).into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn text_is_given_at_once_without_stop_texts() {
        check(&[], &["a", "", "bc"], &["a", "", "bc", ""]);
        check(&[""], &["a", "bc"], &["a", "bc", ""]);
    }

    #[test]
    fn one_space_in_front_is_the_tokenizers() {
        check(&[], &["", "  a", " b"], &["", " a", " b", ""]);
        check(&[], &[" ", " a"], &["", " a", ""]);
        check(&[], &["a", " b"], &["a", " b", ""]);
    }

    #[test]
    fn an_answer_ends_before_a_stop_text() {
        check(&["END"], &["a END b"], &["a "]);
        check(&["END"], &["a E", "N", "D b"], &["a ", "", ""]);
        check(&["END"], &["END"], &[""]);
        check(&["\n\n"], &["a\n", "\nb"], &["a", ""]);
    }

    #[test]
    fn what_may_begin_a_stop_text_is_held_back_until_it_is_certain() {
        check(&["END"], &["a E", "N", "x"], &["a ", "", "ENx", ""]);
        check(&["END"], &["a EN"], &["a ", "EN"]);
        check(&["aab"], &["aa", "a", "a", "b"], &["", "a", "a", ""]);
        check(&["€€"], &["1 €", "2"], &["1 ", "€2", ""]);
    }

    #[test]
    fn the_stop_text_that_is_complete_first_counts() {
        check(&["abc", "b"], &["xabc"], &["xa"]);
        check(&["bc", "abc"], &["xabc"], &["x"]);
        check(&["c", "abc"], &["x", "ab", "c"], &["x", "", ""]);
    }

    #[test]
    fn tokens_come_with_the_text_that_they_complete() {
        let check = |stops: &[&str], pieces: &[&str], expected: &[(&str, &[u32])]| {
            let given = given(stops, pieces);
            let with_tokens = given.iter().filter(|(_, tokens)| !tokens.is_empty());
            let found: Vec<_> = with_tokens.map(|(text, tokens)| (text.as_str(), tokens.as_slice())).collect();
            assert_eq!(found, expected);
        };
        check(&[], &["a", "", "", "€", ""], &[("a", &[0]), ("€", &[1, 2, 3]), ("", &[4])]);
        check(&["END"], &["a", "b E", "N", "x"], &[("a", &[0]), ("ENx", &[1, 2, 3])]);
        check(&["END"], &["a", "b E", "N", "D", "c"], &[("a", &[0]), ("", &[1])]);
        check(&["END"], &["a", "b END"], &[("a", &[0]), ("b ", &[1])]);
    }

    #[test]
    fn every_split_of_the_text_gives_the_same_answer() {
        let mut random = StdRng::seed_from_u64(11);
        let signs = ["a", "b", "€", " ", "ab", "bb"];
        let any = |random: &mut StdRng, most: usize| -> String {
            (0..random.random_range(1..=most)).map(|_| signs[random.random_range(0..signs.len())]).collect()
        };
        for _ in 0..2000 {
            let stops: Vec<String> = (0..random.random_range(0..3)).map(|_| any(&mut random, 3)).collect();
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let text = any(&mut random, 20);
            let pieces: Vec<&str> = text.split_inclusive(|_| random.random_bool(0.5)).collect();
            let all = |pieces: &[&str]| given(&stops, pieces).into_iter().map(|(text, _)| text).collect::<String>();
            assert_eq!(all(&pieces), all(&[&text]), "{stops:?} in {pieces:?}");
        }
    }
}
