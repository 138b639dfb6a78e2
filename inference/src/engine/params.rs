//! How the next token is chosen and when a sequence ends by itself. Valid by construction.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Deref;

use crate::tokenizer::TokenId;

/// The most rivals that a token's log-probability is told with: OpenAI's limit, and vLLM's.
const MAX_LOGPROBS: usize = 20;

/// The wish, unchecked; [`SamplingParams::try_from`] makes it valid. The default draws from the model's own
/// distribution, with nothing cut off or penalised, and ends after 1,024 tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingOptions {
    /// 0 is greedy.
    pub temperature: f32,
    /// Only so many of the most probable tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the most probable tokens whose shares add up to this are drawn from; 1 keeps all.
    pub top_p: f32,
    /// Only tokens at least this share as probable as the most probable one are drawn from; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens in the prompt or the output; 1 is none.
    pub repetition_penalty: f32,
    /// Taken from a token's logit for each time it is in the output; 0 is none.
    pub frequency_penalty: f32,
    /// Taken from a token's logit once it is in the output; 0 is none.
    pub presence_penalty: f32,
    /// Added to the logits of these tokens, whether greedy or not. Ids that the model does not have change nothing.
    pub logit_bias: BTreeMap<TokenId, f32>,
    /// The same seed and prompt give the same tokens, whatever else is in the batch.
    pub seed: u64,
    /// No stop token is chosen as one of the first so many. A grammar with nothing left but its end is ended sooner.
    pub min_new_tokens: usize,
    /// Tokens after which the sequence ends by length.
    pub max_new_tokens: usize,
    /// Any of these ends the sequence; it is counted, but not delivered.
    pub stop_ids: Vec<TokenId>,
    /// Each token is delivered with its log-probability and those of so many most probable ones.
    pub logprobs: Option<usize>,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        SamplingOptions {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: BTreeMap::new(),
            seed: 0,
            min_new_tokens: 0,
            max_new_tokens: 1024,
            stop_ids: Vec::new(),
            logprobs: None,
        }
    }
}

/// Sampling settings that hold together.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams(SamplingOptions);

/// Why sampling settings were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value} but must be {allowed}")]
pub struct InvalidParams {
    /// The field of [`SamplingOptions`].
    pub name: &'static str,
    /// What it held.
    pub value: String,
    /// What it may hold.
    pub allowed: String,
}

impl SamplingParams {
    /// The most probable token each time, at most `max_new_tokens` of them (taken as 1 if 0 is given).
    pub fn greedy(max_new_tokens: usize) -> Self {
        let max_new_tokens = max_new_tokens.max(1);
        SamplingParams(SamplingOptions { temperature: 0.0, max_new_tokens, ..SamplingOptions::default() })
    }

    /// These settings, with one more token that ends the sequence.
    pub fn stop_at(mut self, id: TokenId) -> Self {
        if !self.stop_ids.contains(&id) {
            self.0.stop_ids.push(id);
        }
        self
    }
}

/// The settings can be read, not changed.
impl Deref for SamplingParams {
    type Target = SamplingOptions;

    fn deref(&self) -> &SamplingOptions {
        &self.0
    }
}

impl TryFrom<SamplingOptions> for SamplingParams {
    type Error = InvalidParams;

    fn try_from(options: SamplingOptions) -> Result<Self, InvalidParams> {
        let o = &options;
        // Not a number lies in no range.
        let is_penalty = |value: &f32| (-2.0..=2.0).contains(value);
        check((0.0..=100.0).contains(&o.temperature), "temperature", o.temperature, "from 0 (greedy) to 100")?;
        check(o.top_k != Some(0), "top_k", 0, "at least 1, or absent to keep all")?;
        check(o.top_p > 0.0 && o.top_p <= 1.0, "top_p", o.top_p, "above 0 and at most 1")?;
        check((0.0..=1.0).contains(&o.min_p), "min_p", o.min_p, "from 0 to 1")?;
        let repetition = o.repetition_penalty;
        check((0.01..=100.0).contains(&repetition), "repetition_penalty", repetition, "from 0.01 to 100")?;
        check(is_penalty(&o.frequency_penalty), "frequency_penalty", o.frequency_penalty, "from -2 to 2")?;
        check(is_penalty(&o.presence_penalty), "presence_penalty", o.presence_penalty, "from -2 to 2")?;
        for (id, bias) in &o.logit_bias {
            let value = format!("{bias} for token {}", id.0);
            check((-100.0..=100.0).contains(bias), "logit_bias", value, "from -100 to 100")?;
        }
        check(o.max_new_tokens > 0, "max_new_tokens", 0, "at least 1")?;
        let at_most = format!("at most max_new_tokens ({})", o.max_new_tokens);
        check(o.min_new_tokens <= o.max_new_tokens, "min_new_tokens", o.min_new_tokens, &at_most)?;
        let (num_logprobs, at_most) = (o.logprobs.unwrap_or(0), format!("at most {MAX_LOGPROBS}"));
        check(num_logprobs <= MAX_LOGPROBS, "logprobs", num_logprobs, &at_most)?;
        Ok(SamplingParams(options))
    }
}

fn check(holds: bool, name: &'static str, value: impl Display, allowed: &str) -> Result<(), InvalidParams> {
    let refusal = || InvalidParams { name, value: value.to_string(), allowed: allowed.to_owned() };
    holds.then_some(()).ok_or_else(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty `message` means that the options are valid.
    #[track_caller]
    fn check(change: impl FnOnce(&mut SamplingOptions), message: &str) {
        let mut options = SamplingOptions::default();
        change(&mut options);
        let refused = SamplingParams::try_from(options).err();
        assert_eq!(refused.map(|error| error.to_string()).unwrap_or_default(), message);
    }

    /// A number's field: its ends are valid, what lies beside them and what is no number is not.
    #[track_caller]
    fn check_range(set: impl Fn(&mut SamplingOptions, f32), good: [f32; 2], bad: [f32; 2], name: &str, allowed: &str) {
        for value in good {
            check(|options| set(options, value), "");
        }
        for value in bad.into_iter().chain([f32::NAN, f32::INFINITY, f32::NEG_INFINITY]) {
            check(|options| set(options, value), &format!("{name} is {value} but must be {allowed}"));
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_name_value_and_range() {
        let all = "from 0 (greedy) to 100";
        check_range(|o, v| o.temperature = v, [0.0, 100.0], [-0.1, 100.1], "temperature", all);
        check_range(|o, v| o.top_p = v, [0.001, 1.0], [0.0, 1.1], "top_p", "above 0 and at most 1");
        check_range(|o, v| o.min_p = v, [0.0, 1.0], [-0.1, 1.1], "min_p", "from 0 to 1");
        let all = "from 0.01 to 100";
        check_range(|o, v| o.repetition_penalty = v, [0.01, 100.0], [0.0, 101.0], "repetition_penalty", all);
        let all = "from -2 to 2";
        check_range(|o, v| o.frequency_penalty = v, [-2.0, 2.0], [-2.1, 2.1], "frequency_penalty", all);
        check_range(|o, v| o.presence_penalty = v, [-2.0, 2.0], [-2.1, 2.1], "presence_penalty", all);
    }

    #[test]
    fn biases_out_of_range_are_refused_with_their_token() {
        let bias = |value| move |o: &mut SamplingOptions| o.logit_bias = BTreeMap::from([(TokenId(5), value)]);
        check(bias(-100.0), "");
        check(bias(100.0), "");
        check(bias(101.0), "logit_bias is 101 for token 5 but must be from -100 to 100");
        check(bias(f32::NAN), "logit_bias is NaN for token 5 but must be from -100 to 100");
    }

    #[test]
    fn counts_out_of_range_are_refused_with_name_value_and_range() {
        check(|o| o.top_k = Some(1), "");
        check(|o| o.top_k = Some(0), "top_k is 0 but must be at least 1, or absent to keep all");
        check(|o| o.max_new_tokens = 1, "");
        check(|o| o.max_new_tokens = 0, "max_new_tokens is 0 but must be at least 1");
        check(|o| (o.min_new_tokens, o.max_new_tokens) = (7, 7), "");
        let message = "min_new_tokens is 8 but must be at most max_new_tokens (7)";
        check(|o| (o.min_new_tokens, o.max_new_tokens) = (8, 7), message);
        check(|o| o.logprobs = Some(20), "");
        check(|o| o.logprobs = Some(21), "logprobs is 21 but must be at most 20");
    }
}
