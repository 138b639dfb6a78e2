//! Makes tokens that were already seen less probable. Touches only those.

use std::collections::BTreeMap;

use crate::engine::params::SamplingParams;
use crate::tokenizer::TokenId;

/// One sequence's penalties and what they count. Repetition as in CTRL (Keskar et al. 2019) and Hugging Face, over
/// prompt and output; frequency and presence as OpenAI's, over the output.
pub(super) struct Penalties {
    repetition: f32,
    frequency: f32,
    presence: f32,
    /// How often each seen token is in the output; 0 for those in the prompt alone.
    counts: BTreeMap<TokenId, u32>,
}

impl Penalties {
    /// None if the settings penalise nothing.
    pub(super) fn new(params: &SamplingParams, prompt: &[TokenId]) -> Option<Self> {
        let (repetition, frequency, presence) =
            (params.repetition_penalty, params.frequency_penalty, params.presence_penalty);
        if (repetition, frequency, presence) == (1.0, 0.0, 0.0) {
            return None;
        }
        // The prompt counts for repetition alone.
        let prompt = if repetition == 1.0 { &[] } else { prompt };
        let counts = prompt.iter().map(|id| (*id, 0)).collect();
        Some(Penalties { repetition, frequency, presence, counts })
    }

    pub(super) fn apply(&self, row: &mut [f32]) {
        for (id, count) in &self.counts {
            let Some(logit) = row.get_mut(id.0 as usize) else { continue };
            *logit = if *logit > 0.0 { *logit / self.repetition } else { *logit * self.repetition };
            if *count > 0 {
                *logit -= self.frequency * *count as f32 + self.presence;
            }
        }
    }

    /// Takes note of a token of the output.
    pub(super) fn record(&mut self, id: TokenId) {
        *self.counts.entry(id).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::engine::params::SamplingOptions;

    /// The row is `[2, -2, 3, 1]`; the prompt holds tokens 0 and 1, the output 1, 2 and 2.
    #[track_caller]
    fn check(repetition_penalty: f32, frequency_penalty: f32, presence_penalty: f32, expected: [f32; 4]) {
        let options =
            SamplingOptions { repetition_penalty, frequency_penalty, presence_penalty, ..SamplingOptions::default() };
        let params = SamplingParams::try_from(options).unwrap();
        let mut penalties = Penalties::new(&params, &[0, 1, 1].map(TokenId)).unwrap();
        [1, 2, 2].map(TokenId).into_iter().for_each(|id| penalties.record(id));
        let mut row = [2.0, -2.0, 3.0, 1.0];
        penalties.apply(&mut row);
        assert_eq!(row, expected);
    }

    #[test]
    fn repetition_shrinks_what_is_in_prompt_or_output_once() {
        check(2.0, 0.0, 0.0, [1.0, -4.0, 1.5, 1.0]);
        check(0.5, 0.0, 0.0, [4.0, -1.0, 6.0, 1.0]);
    }

    #[test]
    fn frequency_takes_for_each_time_in_the_output() {
        check(1.0, 0.5, 0.0, [2.0, -2.5, 2.0, 1.0]);
        check(1.0, -0.5, 0.0, [2.0, -1.5, 4.0, 1.0]);
    }

    #[test]
    fn presence_takes_once_for_what_is_in_the_output() {
        check(1.0, 0.0, 0.5, [2.0, -2.5, 2.5, 1.0]);
    }

    #[test]
    fn repetition_comes_before_frequency_and_presence() {
        check(2.0, 0.5, 0.25, [1.0, -4.75, 0.25, 1.0]);
    }

    #[test]
    fn neutral_settings_count_nothing() {
        assert!(Penalties::new(&SamplingParams::greedy(1), &[TokenId(0)]).is_none());
    }
}
