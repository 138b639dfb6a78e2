//! The heart of the engine: one step moves every running sequence on.

use super::run::Engine;
use super::sampler::Sampled;
use super::scheduler::StepPlan;
use crate::backend::{Backend, BackendError, Logits, ModelInput};
use crate::engine::FinishReason;

impl<B: Backend> Engine<B> {
    /// Plan ▸ forward ▸ sample ▸ commit.
    pub(super) fn step(&mut self) -> Result<(), BackendError> {
        self.plan = self.scheduler.plan();
        let logits = self.forward()?;
        let sampled = self.sample(logits);
        self.commit(sampled);
        Ok(())
    }

    /// One pass over the rows of all chunks.
    fn forward(&mut self) -> Result<Logits, BackendError> {
        for id in &self.plan.admitted {
            self.requests.get_mut(id).map(|request| request.place.take());
        }
        let mut input = ModelInput::default();
        for chunk in &self.plan.chunks {
            input.push(chunk.position, self.scheduler.tokens(chunk), self.scheduler.table(chunk), chunk.samples);
        }
        let mut logits = Logits::default();
        self.backend.forward(&input, &mut logits)?;
        Ok(logits)
    }

    /// For each chunk that reaches its sequence's end, what comes next.
    fn sample(&mut self, mut logits: Logits) -> Vec<Sampled> {
        let sampling = self.plan.chunks.iter().filter(|chunk| chunk.samples);
        let sample = |(chunk, row): (&super::scheduler::Chunk, &mut [f32])| match self.requests.get_mut(&chunk.id) {
            Some(request) => request.sampler.sample(row),
            None => Sampled::Stop,
        };
        sampling.zip(logits.rows_mut()).map(sample).collect()
    }

    /// Records what was computed, delivers tokens, ends what is complete.
    fn commit(&mut self, sampled: Vec<Sampled>) {
        let StepPlan { chunks, .. } = std::mem::take(&mut self.plan);
        let mut sampled = sampled.into_iter();
        for chunk in &chunks {
            self.scheduler.computed(chunk);
            if !chunk.samples {
                continue;
            }
            self.metrics.prefilled(self.requests.get_mut(&chunk.id));
            let ended = match sampled.next() {
                Some(Sampled::Token { id, logprobs }) => {
                    self.deliver(chunk.id, id, logprobs);
                    let has_room = self.scheduler.append(chunk.id, id);
                    (!has_room).then_some(FinishReason::Length)
                }
                Some(Sampled::Last { id, logprobs }) => {
                    self.deliver(chunk.id, id, logprobs);
                    Some(FinishReason::Stop)
                }
                Some(Sampled::Stop) => {
                    self.count_token(chunk.id);
                    Some(FinishReason::Stop)
                }
                Some(Sampled::Failed(reason)) => Some(FinishReason::Failed(reason)),
                None => Some(FinishReason::Failed("the backend gave too few rows of logits".to_owned())),
            };
            if let Some(reason) = ended {
                self.finish(chunk.id, reason);
            }
        }
    }
}
