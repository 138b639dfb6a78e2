//! How the next token is chosen and when a sequence ends by itself. Valid by construction.

use crate::tokenizer::TokenId;

/// The wish, unchecked; [`SamplingParams::try_from`] makes it valid.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingOptions {
    /// 0 is greedy.
    pub temperature: f32,
    /// Only the most probable tokens whose shares add up to this are drawn from; 1 keeps all.
    pub top_p: f32,
    /// The same seed and prompt give the same tokens, whatever else is in the batch.
    pub seed: u64,
    /// Tokens after which the sequence ends by length.
    pub max_new_tokens: usize,
    /// Any of these ends the sequence; it is counted, but not delivered.
    pub stop_ids: Vec<TokenId>,
}

/// Sampling settings that hold together.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    pub(crate) temperature: f32,
    pub(crate) top_p: f32,
    pub(crate) seed: u64,
    pub(crate) max_new_tokens: usize,
    pub(crate) stop_ids: Vec<TokenId>,
}

/// Why sampling settings were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidParams {
    /// Negative, infinite or not a number.
    #[error("temperature is {0} but must be a number from 0 (greedy) to 100")]
    Temperature(f32),
    /// Outside `0 < top_p <= 1`.
    #[error("top_p is {0} but must be above 0 and at most 1")]
    TopP(f32),
    /// No room for any token.
    #[error("max_new_tokens is 0 but must be at least 1")]
    NoTokens,
}

impl SamplingParams {
    /// The most probable token each time, at most `max_new_tokens` of them (taken as 1 if 0 is given).
    pub fn greedy(max_new_tokens: usize) -> Self {
        SamplingParams {
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            max_new_tokens: max_new_tokens.max(1),
            stop_ids: Vec::new(),
        }
    }

    /// These settings, with one more token that ends the sequence.
    pub fn stop_at(mut self, id: TokenId) -> Self {
        if !self.stop_ids.contains(&id) {
            self.stop_ids.push(id);
        }
        self
    }

    /// The limit on generated tokens.
    pub fn max_new_tokens(&self) -> usize {
        self.max_new_tokens
    }
}

impl TryFrom<SamplingOptions> for SamplingParams {
    type Error = InvalidParams;

    fn try_from(options: SamplingOptions) -> Result<Self, InvalidParams> {
        let SamplingOptions { temperature, top_p, seed, max_new_tokens, stop_ids } = options;
        if !(0.0..=100.0).contains(&temperature) {
            return Err(InvalidParams::Temperature(temperature));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(InvalidParams::TopP(top_p));
        }
        if max_new_tokens == 0 {
            return Err(InvalidParams::NoTokens);
        }
        Ok(SamplingParams { temperature, top_p, seed, max_new_tokens, stop_ids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(temperature: f32, top_p: f32, max_new_tokens: usize, valid: bool) {
        let options = SamplingOptions { temperature, top_p, seed: 1, max_new_tokens, stop_ids: vec![] };
        assert_eq!(SamplingParams::try_from(options).is_ok(), valid);
    }

    #[test]
    fn nonsense_is_refused_where_it_comes_in() {
        check(0.0, 1.0, 1, true);
        check(0.7, 0.9, 100, true);
        check(-0.1, 1.0, 1, false);
        check(f32::NAN, 1.0, 1, false);
        check(1.0, 0.0, 1, false);
        check(1.0, f32::NAN, 1, false);
        check(1.0, 1.1, 1, false);
        check(1.0, 1.0, 0, false);
    }
}
