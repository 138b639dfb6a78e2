//! The heart of the engine: one step moves every running sequence on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::command::FinishReason;
use super::run::{Engine, panic_text};
use super::sampler::Sampled;
use super::scheduler::Chunk;
use crate::backend::Backend;

impl<B: Backend> Engine<B> {
    /// Plan ▸ forward ▸ sample ▸ commit.
    pub(super) fn step(&mut self) {
        self.plan();
        self.forward();
        self.sample();
        self.commit();
    }

    /// Whose turn it is. Who is admitted gives back its place in the line.
    fn plan(&mut self) {
        self.scheduler.plan(&mut self.plan);
        let now = Instant::now();
        for (id, num_cached) in &self.plan.admitted {
            if let Some(request) = self.requests.get_mut(id) {
                request.place = None;
                self.metrics.admitted(&mut request.times, now, request.usage.prompt_tokens, *num_cached);
            }
        }
        self.metrics.planned(&self.plan);
    }

    /// One pass over the rows of all chunks. When that fails, one for each, so that only the culprit's request ends.
    fn forward(&mut self) {
        let chunks = std::mem::take(&mut self.plan.chunks);
        let Err(reason) = self.pass(&chunks) else {
            self.plan.chunks = chunks;
            return;
        };
        tracing::error!(%reason, requests = chunks.len(), "a forward pass failed");
        if let [chunk] = chunks.as_slice() {
            return self.finish(chunk.id, FinishReason::Failed(reason));
        }
        let mut rows = Vec::new();
        for chunk in chunks {
            match self.pass(std::slice::from_ref(&chunk)) {
                Ok(()) => {
                    rows.extend_from_slice(&self.logits.values);
                    self.plan.chunks.push(chunk);
                }
                Err(reason) => self.finish(chunk.id, FinishReason::Failed(reason)),
            }
        }
        self.logits.values = rows;
    }

    /// The rows of some chunks. Says why, if it fails or panics; what it was to write to the KV may be repeated.
    fn pass(&mut self, chunks: &[Chunk]) -> Result<(), String> {
        self.input.clear();
        for chunk in chunks {
            let (token_ids, table) = self.scheduler.rows(chunk);
            self.input.push(chunk.position, token_ids, table, chunk.samples);
        }
        match catch_unwind(AssertUnwindSafe(|| self.backend.forward(&self.input, &mut self.logits))) {
            Ok(result) => result.map_err(|error| format!("forward pass failed: {error}")),
            Err(panic) => Err(format!("the forward pass panicked: {}", panic_text(panic.as_ref()))),
        }
    }

    /// For each chunk that reaches its sequence's end, what comes next.
    fn sample(&mut self) {
        self.sampled.clear();
        let sampling = self.plan.chunks.iter().filter(|chunk| chunk.samples);
        for (chunk, row) in sampling.zip(self.logits.rows_mut()) {
            let request = self.requests.get_mut(&chunk.id);
            self.sampled.push(request.map_or(Sampled::Stop, |request| request.sample(row)));
        }
    }

    /// Records what was computed, delivers tokens, ends what is complete.
    fn commit(&mut self) {
        let now = Instant::now();
        // Should this panic, it is nobody's fault in particular: no plan is left to blame.
        let plan = std::mem::take(&mut self.plan);
        let mut sampled = std::mem::take(&mut self.sampled);
        let mut outcomes = sampled.drain(..);
        for chunk in &plan.chunks {
            self.scheduler.computed(chunk);
            if !chunk.samples {
                continue;
            }
            let ended = match outcomes.next() {
                Some(Sampled::Token { id, logprobs }) => {
                    self.deliver(chunk.id, id, logprobs, now);
                    let has_room = self.scheduler.append(chunk.id, id);
                    (!has_room).then_some(FinishReason::Length)
                }
                Some(Sampled::Last { id, logprobs }) => {
                    self.deliver(chunk.id, id, logprobs, now);
                    Some(FinishReason::Stop)
                }
                Some(Sampled::Stop) => {
                    self.count_token(chunk.id, now);
                    Some(FinishReason::Stop)
                }
                Some(Sampled::Failed(reason)) => Some(FinishReason::Failed(reason)),
                None => Some(FinishReason::Failed("the backend gave too few rows of logits".to_owned())),
            };
            if let Some(reason) = ended {
                self.finish(chunk.id, reason);
            }
        }
        drop(outcomes);
        (self.plan, self.sampled) = (plan, sampled);
    }
}
