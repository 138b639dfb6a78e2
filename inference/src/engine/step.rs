//! The heart of the engine: one step moves every running sequence on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::command::FinishReason;
use super::run::{Engine, panic_text};
use super::sample::Sample;
use super::sampler::{Chosen, Sampled};
use super::scheduler::Chunk;
use super::sequence::SequenceId;
use crate::backend::Backend;

impl<B: Backend> Engine<B> {
    /// Plan ▸ forward ▸ sample (in `sample.rs`) ▸ commit.
    pub(super) fn step(&mut self) {
        self.plan();
        self.forward();
        self.sample();
        self.commit();
    }

    /// Whose turn it is. Who is admitted gives back its place in the line.
    fn plan(&mut self) {
        let Engine { scheduler, requests, plan, step_cost, .. } = self;
        let base_rows = step_cost.base_rows();
        scheduler.plan(plan, &mut |sequence, num_rows, max| {
            let Some(request) = requests.get_mut(&sequence.id) else { return Vec::new() };
            let price = num_rows as f64 / (num_rows as f64 + base_rows);
            request.draft(&sequence.tokens, price as f32, max)
        });
        let now = Instant::now();
        for (id, num_cached) in &self.plan.admitted {
            let Some(request) = self.requests.get_mut(id) else { continue };
            // Who comes back after a preemption has given up its place before.
            if request.place.take().is_some() {
                // What is forced at the beginning may be cached, too, but is not of the prompt.
                let num_cached = request.found_in_cache(*num_cached);
                self.metrics.admitted(&mut request.times, now, request.usage.prompt_tokens, num_cached);
            }
        }
        for (id, num_cached) in &self.plan.taken_over {
            if let Some(request) = self.requests.get_mut(id) {
                self.metrics.taken_over(request.found_in_cache(*num_cached));
            }
        }
        self.metrics.planned(&self.plan);
    }

    /// One pass over the rows of all chunks, while masks are computed that are needed after it. When the pass fails, one
    /// for each chunk, so that only the culprit's request ends.
    fn forward(&mut self) {
        self.lend_grammars();
        self.forward_rows();
        self.take_grammars_back();
    }

    fn forward_rows(&mut self) {
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
            self.input.push(chunk.position, token_ids, table, chunk.num_logits());
        }
        match catch_unwind(AssertUnwindSafe(|| self.backend.forward(&self.input, &mut self.logits))) {
            Ok(result) => result.map_err(|error| format!("forward pass failed: {error}")),
            Err(panic) => Err(format!("the forward pass panicked: {}", panic_text(panic.as_ref()))),
        }
    }

    /// Records what was computed, delivers tokens, ends what is complete.
    fn commit(&mut self) {
        let now = Instant::now();
        // Should this panic, it is nobody's fault in particular: no plan is left to blame.
        let plan = std::mem::take(&mut self.plan);
        let (mut all_samples, mut all_chosen) = (std::mem::take(&mut self.samples), std::mem::take(&mut self.chosen));
        let (mut samples, mut chosen) = (all_samples.drain(..), all_chosen.drain(..));
        for chunk in &plan.chunks {
            let sample = if chunk.samples { samples.next() } else { None };
            let Some(Sample { sampled, num_chosen, num_accepted }) = sample else {
                self.scheduler.computed(chunk, 0);
                continue;
            };
            self.scheduler.computed(chunk, num_accepted);
            self.metrics.accepted(num_accepted);
            if let Some(request) = self.requests.get_mut(&chunk.id) {
                request.observe_drafts(chunk.num_drafts, num_accepted);
            }
            let mut chosen = chosen.by_ref().take(num_chosen);
            // They are in the sequence already.
            chosen.by_ref().take(num_accepted).for_each(|chosen| self.deliver(chunk.id, chosen, now));
            self.go_on(chunk.id, chosen, sampled, now);
        }
        drop((samples, chosen));
        (self.plan, self.samples, self.chosen) = (plan, all_samples, all_chosen);
    }

    /// Delivers tokens that the sequence goes on with, and ends it if they or `sampled` do.
    pub(super) fn go_on(
        &mut self,
        id: SequenceId,
        chosen: impl Iterator<Item = Chosen>,
        sampled: Sampled,
        now: Instant,
    ) {
        let (mut has_room, mut is_cut) = (true, false);
        for chosen in chosen {
            is_cut |= !has_room;
            if has_room {
                has_room = self.scheduler.append(id, chosen.id);
                self.deliver(id, chosen, now);
            }
        }
        match sampled {
            Sampled::Failed(reason) => self.finish(id, FinishReason::Failed(reason)),
            Sampled::Complete if !is_cut => self.finish(id, FinishReason::Stop),
            Sampled::Stop if has_room => {
                self.count_token(id, now);
                self.finish(id, FinishReason::Stop);
            }
            Sampled::Open if has_room => {}
            Sampled::Complete | Sampled::Stop | Sampled::Open => self.finish(id, FinishReason::Length),
        }
    }
}
