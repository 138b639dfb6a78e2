//! From a step's logits to the next tokens of its sequences: one, or several where a grammar leaves no choice or the
//! tokens had been guessed.

use super::run::Engine;
use super::sampler::Sampled;
use crate::backend::Backend;

/// What came of one chunk's rows.
pub(super) struct Sample {
    pub(super) sampled: Sampled,
    /// So many of the step's chosen tokens are this sequence's.
    pub(super) num_chosen: usize,
    /// So many of them, from the first on, had been guessed and are computed already.
    pub(super) num_accepted: usize,
}

impl<B: Backend> Engine<B> {
    /// For each chunk that reaches its sequence's end, what comes next. After a guessed token, only if it is the one that
    /// was chosen.
    pub(super) fn sample(&mut self) {
        self.chosen.clear();
        self.samples.clear();
        let mut first_row = 0;
        for chunk in self.plan.chunks.iter().filter(|chunk| chunk.samples) {
            let (token_ids, _) = self.scheduler.rows(chunk);
            let drafts = &token_ids[token_ids.len() - chunk.num_drafts..];
            let first = self.chosen.len();
            let (mut sampled, mut num_right) = (Sampled::Open, Some(0));
            while let (Sampled::Open, Some(row)) = (&sampled, num_right) {
                sampled = match (self.logits.row_mut(first_row + row), self.requests.get_mut(&chunk.id)) {
                    (Some(row), Some(request)) => request.sample(row, &mut self.chosen),
                    (None, _) => Sampled::Failed("the backend gave too few rows of logits".to_owned()),
                    (_, None) => Sampled::Stop,
                };
                let chosen = self.chosen[first..].iter().map(|chosen| chosen.id);
                // The row after the tokens that were chosen is there if all of them had been guessed.
                num_right = chosen.clone().eq(drafts.iter().copied().take(chosen.len())).then_some(chosen.len());
            }
            let chosen = self.chosen[first..].iter();
            let num_accepted = chosen.clone().zip(drafts).take_while(|(chosen, draft)| chosen.id == **draft).count();
            self.samples.push(Sample { sampled, num_chosen: chosen.len(), num_accepted });
            first_row += chunk.num_logits();
        }
    }
}
