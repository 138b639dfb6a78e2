//! Prompt-lookup speculation: what a sequence writes next is often what stands in it already, after the same words. So
//! the tokens that followed there are computed along with the last one, and kept as far as they are what would have been
//! chosen anyway (A. Saxena, *Prompt Lookup Decoding*, 2023). Pure: tokens in, tokens out.
//!
//! A row more in a step costs less than a step of its own, but not nothing; how much a draft is worth follows from how
//! many of a request's drafts were accepted so far.

use crate::tokenizer::TokenId;

/// From this length on, matches are equally good.
const LONGEST_MATCH: usize = 5;
/// The share of drafted tokens that is expected to be accepted after a match of 1, 2, … tokens, before anything is known.
const EXPECTED: [f32; LONGEST_MATCH] = [0.2, 0.5, 0.7, 0.8, 0.9];
/// How much one drafted token changes what is expected of the next.
const LEARNING: f32 = 0.15;
/// How far each token that was not drafted takes expectations back to the start, so that they are tried again.
const FORGETTING: f32 = 0.01;

/// What is known of one request's drafts.
#[derive(Clone, Debug)]
pub(super) struct Speculation {
    /// Share of drafted tokens that were accepted, by the length of the match before them.
    accepted: [f32; LONGEST_MATCH],
    /// The match that the draft under way rests on; 0 for none.
    match_len: usize,
}

impl Default for Speculation {
    fn default() -> Self {
        Speculation { accepted: EXPECTED, match_len: 0 }
    }
}

impl Speculation {
    /// Tokens that may follow `tokens`: at most `max`, and as many as pay where a row more costs `price` of what a token
    /// costs without drafts.
    pub(super) fn draft<'a>(&mut self, tokens: &'a [TokenId], price: f32, max: usize) -> &'a [TokenId] {
        self.match_len = 0;
        if max == 0 || self.accepted.iter().all(|accepted| *accepted <= price) {
            return &[];
        }
        let Some((start, match_len)) = last_match(tokens) else { return &[] };
        let mut expected = 1.0;
        let pays = |index: &usize| {
            expected *= self.accepted[(match_len + index - 1).min(LONGEST_MATCH - 1)];
            expected > price
        };
        let num_drafts = (0..max.min(tokens.len() - start)).take_while(pays).count();
        self.match_len = if num_drafts > 0 { match_len } else { 0 };
        &tokens[start..start + num_drafts]
    }

    /// What came of the last draft: so many of its tokens were accepted.
    pub(super) fn observe(&mut self, num_drafts: usize, num_accepted: usize) {
        if self.match_len == 0 || num_drafts == 0 {
            for (accepted, expected) in self.accepted.iter_mut().zip(EXPECTED) {
                *accepted += (expected - *accepted) * FORGETTING;
            }
            return;
        }
        // Nothing is known of what comes after the first that was wrong.
        for index in 0..num_drafts.min(num_accepted + 1) {
            let accepted = &mut self.accepted[(self.match_len + index - 1).min(LONGEST_MATCH - 1)];
            let outcome = if index < num_accepted { 1.0 } else { 0.0 };
            *accepted += (outcome - *accepted) * LEARNING;
        }
    }
}

/// Where the longest match of the last tokens ends, the latest of several; and its length.
fn last_match(tokens: &[TokenId]) -> Option<(usize, usize)> {
    let (last, before) = tokens.split_last()?;
    let mut best: Option<(usize, usize)> = None;
    for end in (1..=before.len()).rev() {
        if before[end - 1] != *last {
            continue;
        }
        let earlier = before[..end].iter().rev();
        let match_len = earlier.zip(tokens.iter().rev()).take(LONGEST_MATCH).take_while(|(a, b)| a == b).count();
        if best.is_none_or(|(_, longest)| longest < match_len) {
            best = Some((end, match_len));
        }
        if match_len == LONGEST_MATCH {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u32]) -> Vec<TokenId> {
        numbers.iter().copied().map(TokenId).collect()
    }

    #[track_caller]
    fn check(tokens: &[u32], expected: &[u32]) {
        assert_eq!(Speculation::default().draft(&ids(tokens), 0.09, 3), ids(expected));
    }

    #[test]
    fn what_followed_the_same_tokens_is_drafted() {
        check(&[1, 2, 3, 4, 5, 6, 1, 2], &[3, 4, 5]);
        check(&[1, 2, 3, 1, 2], &[3, 1, 2]);
        check(&[7, 7, 7], &[7]);
    }

    #[test]
    fn the_longest_match_counts_and_of_several_the_latest() {
        check(&[1, 2, 3, 9, 2, 4, 9, 1, 2], &[3, 9, 2]);
        check(&[1, 2, 3, 1, 2, 4, 1, 2], &[4, 1, 2]);
    }

    #[test]
    fn where_nothing_matches_nothing_is_drafted() {
        check(&[], &[]);
        check(&[1], &[]);
        check(&[1, 2, 3], &[]);
    }

    #[test]
    fn the_dearer_a_row_the_shorter_is_the_draft() {
        let tokens = ids(&[1, 2, 3, 4, 5, 6, 1, 2]);
        let num_drafts = |price| Speculation::default().draft(&tokens, price, 8).len();
        assert_eq!((num_drafts(0.09), num_drafts(0.4), num_drafts(0.6)), (6, 1, 0));
    }

    #[test]
    fn drafts_end_when_they_are_not_accepted_and_are_tried_again_later() {
        let tokens = ids(&[1, 2, 3, 4, 5, 6, 1, 2]);
        let mut speculation = Speculation::default();
        let refused = (0..100).take_while(|_| {
            let num_drafts = speculation.draft(&tokens, 0.09, 8).len();
            speculation.observe(num_drafts, 0);
            num_drafts > 0
        });
        assert!((5..20).contains(&refused.count()));
        let pauses = (0..100).take_while(|_| {
            let num_drafts = speculation.draft(&tokens, 0.09, 8).len();
            speculation.observe(num_drafts, num_drafts);
            num_drafts == 0
        });
        assert!((1..50).contains(&pauses.count()));
    }

    #[test]
    fn accepted_drafts_get_longer() {
        let tokens = ids(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1]);
        let mut speculation = Speculation::default();
        let first = speculation.draft(&tokens, 0.3, 12).len();
        for _ in 0..30 {
            let num_drafts = speculation.draft(&tokens, 0.09, 12).len();
            speculation.observe(num_drafts, num_drafts);
        }
        assert!(first < speculation.draft(&tokens, 0.3, 12).len());
    }
}
