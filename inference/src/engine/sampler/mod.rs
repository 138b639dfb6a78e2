//! Chooses a sequence's next token from a row of logits. What comes of a row depends on its request alone.
//!
//! The order is that of vLLM's `v1/sample/sampler.py`: log-probabilities of the raw row ▸ logit bias ▸ penalties ▸
//! grammar ▸ no stop token before its time ▸ the largest, or temperature ▸ min-p ▸ top-k ▸ top-p ▸ a draw. What the
//! grammar leaves no choice about is added at once.

mod draw;
mod logprobs;
mod penalties;

use std::cell::RefCell;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub use logprobs::Logprobs;

use super::params::SamplingParams;
use crate::grammar::{Grammar, Mask};
use crate::tokenizer::TokenId;
use draw::{Candidate, draw, largest};
use penalties::Penalties;

thread_local! {
    /// As large as the vocabulary, so samplers take turns with it.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

#[derive(Default)]
struct Buffers {
    raw: Vec<f32>,
    candidates: Vec<Candidate>,
}

/// One sequence's choices; its random numbers are its own, so neighbours change nothing.
pub(crate) struct Sampler {
    params: SamplingParams,
    grammar: Option<Grammar>,
    /// Whether the grammar is elsewhere, for its mask to be computed.
    is_lent: bool,
    /// What may come next, computed while the row was.
    mask: Option<Mask>,
    penalties: Option<Penalties>,
    num_chosen: usize,
    random: StdRng,
}

/// A token that the sequence goes on with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) id: TokenId,
    pub(crate) logprobs: Option<Logprobs>,
    /// Whether it was drawn; the grammar forces the others.
    pub(crate) is_drawn: bool,
}

/// What becomes of the sequence after the tokens that were chosen from a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sampled {
    /// It goes on.
    Open,
    /// They complete the grammar.
    Complete,
    /// A stop token comes next, which is not among them.
    Stop,
    /// No token can be chosen.
    Failed(String),
}

impl Sampler {
    pub(crate) fn new(params: SamplingParams, grammar: Option<Grammar>, prompt: &[TokenId]) -> Self {
        let penalties = Penalties::new(&params, prompt);
        let random = StdRng::seed_from_u64(params.seed);
        Sampler { params, grammar, is_lent: false, mask: None, penalties, num_chosen: 0, random }
    }

    /// Adds what comes next to `chosen`. The row is left changed.
    pub(crate) fn sample(&mut self, row: &mut [f32], chosen: &mut Vec<Chosen>) -> Sampled {
        BUFFERS.with_borrow_mut(|buffers| self.choose(row, buffers, chosen)).unwrap_or_else(Sampled::Failed)
    }

    /// Adds what the grammar leaves no choice about, before anything is drawn.
    pub(crate) fn begin(&mut self, chosen: &mut Vec<Chosen>) -> Sampled {
        self.force(chosen).unwrap_or_else(Sampled::Failed)
    }

    /// How many of these tokens may come next, before a stop token.
    pub(crate) fn num_allowed(&mut self, ids: &[TokenId]) -> usize {
        let num_before_stop = ids.iter().take_while(|id| !self.params.stop_ids.contains(id)).count();
        match &mut self.grammar {
            Some(grammar) if num_before_stop > 0 => grammar.num_allowed(&ids[..num_before_stop]),
            Some(_) | None => num_before_stop,
        }
    }

    /// Gives the grammar away, for its mask to be computed elsewhere, if a mask is certain to be needed.
    pub(crate) fn lend_grammar(&mut self) -> Option<Grammar> {
        let grammar = if self.params.temperature == 0.0 { None } else { self.grammar.take() };
        self.is_lent = grammar.is_some();
        grammar
    }

    /// Takes the grammar back. Without a mask, the next row's is computed when the row is there.
    pub(crate) fn return_grammar(&mut self, grammar: Grammar, mask: Option<Mask>) {
        (self.grammar, self.mask, self.is_lent) = (Some(grammar), mask, false);
    }

    fn choose(&mut self, row: &mut [f32], buffers: &mut Buffers, chosen: &mut Vec<Chosen>) -> Result<Sampled, String> {
        if self.is_lent {
            return Err("the thread that computes masks is gone".to_owned());
        }
        let Buffers { raw, candidates } = buffers;
        if self.params.logprobs.is_some() {
            raw.clear();
            raw.extend_from_slice(row);
        }
        self.adjust(row);
        self.forbid(row)?;
        let id = match self.params.temperature {
            0.0 => largest(row),
            _ => draw(row, &self.params, self.random.random(), candidates),
        };
        // A row of NaN, or a grammar that allows nothing, has no largest.
        let id = id.ok_or("the model gave no finite logits for the allowed tokens")?;
        self.num_chosen += 1;
        if self.params.stop_ids.contains(&id) {
            return Ok(Sampled::Stop);
        }
        if let Some(penalties) = &mut self.penalties {
            penalties.record(id);
        }
        let logprobs = self.params.logprobs.map(|num_top| Logprobs::new(raw, id, num_top));
        chosen.push(Chosen { id, logprobs, is_drawn: true });
        if let Some(grammar) = &mut self.grammar {
            grammar.accept(id)?;
        }
        self.force(chosen)
    }

    /// A token whose probability is asked for is drawn, even where there is no choice.
    fn force(&mut self, chosen: &mut Vec<Chosen>) -> Result<Sampled, String> {
        let Some(grammar) = &mut self.grammar else { return Ok(Sampled::Open) };
        let forced = if self.params.logprobs.is_none() { grammar.force()? } else { Vec::new() };
        for id in forced {
            if self.params.stop_ids.contains(&id) {
                return Ok(Sampled::Stop);
            }
            if let Some(penalties) = &mut self.penalties {
                penalties.record(id);
            }
            self.num_chosen += 1;
            chosen.push(Chosen { id, logprobs: None, is_drawn: false });
        }
        Ok(if grammar.is_finished() { Sampled::Complete } else { Sampled::Open })
    }

    /// Makes some tokens more or less probable.
    fn adjust(&self, row: &mut [f32]) {
        for (id, bias) in &self.params.logit_bias {
            if let Some(logit) = row.get_mut(id.0 as usize) {
                *logit += bias;
            }
        }
        if let Some(penalties) = &self.penalties {
            penalties.apply(row);
        }
    }

    /// Takes out the tokens that must not come next.
    fn forbid(&mut self, row: &mut [f32]) -> Result<(), String> {
        let may_stop = self.num_chosen >= self.params.min_new_tokens;
        if let Some(mask) = self.mask.take() {
            mask.apply(row);
        } else if let Some(grammar) = &mut self.grammar {
            // Mostly the largest of all is allowed; it is then the largest of the allowed, and no mask is needed.
            let decides = may_stop && self.params.temperature == 0.0;
            let largest = if decides { largest(row) } else { None };
            if !largest.map_or(Ok(false), |id| grammar.allows(id))? {
                grammar.mask()?.apply(row);
            }
        }
        if !may_stop {
            self.forbid_stops(row);
        }
        Ok(())
    }

    /// A grammar that leaves nothing but its end is not postponed.
    fn forbid_stops(&self, row: &mut [f32]) {
        let stop_ids = &self.params.stop_ids;
        let goes_on = |(id, logit): (u32, &f32)| logit.is_finite() && !stop_ids.contains(&TokenId(id));
        if (0..).zip(row.iter()).any(goes_on) {
            for id in stop_ids {
                if let Some(logit) = row.get_mut(id.0 as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::engine::params::SamplingOptions;
    use crate::grammar::{Material, ToolChoice};
    use crate::model::Model;

    fn sampler(options: SamplingOptions, prompt: &[u32]) -> Sampler {
        let prompt: Vec<TokenId> = prompt.iter().copied().map(TokenId).collect();
        Sampler::new(SamplingParams::try_from(options).unwrap(), None, &prompt)
    }

    fn greedy() -> SamplingOptions {
        SamplingOptions { temperature: 0.0, ..SamplingOptions::default() }
    }

    /// What is drawn from a row, what the grammar adds to it, and what becomes of the sequence.
    fn sample(sampler: &mut Sampler, row: &mut [f32]) -> (Option<Chosen>, Vec<TokenId>, Sampled) {
        let mut chosen = Vec::new();
        let sampled = sampler.sample(row, &mut chosen);
        let mut chosen = chosen.into_iter();
        let drawn = if sampled == Sampled::Stop { None } else { chosen.next() };
        (drawn, chosen.map(|chosen| chosen.id).collect(), sampled)
    }

    /// The tokens chosen when each row is the same; a stop is `None`.
    #[track_caller]
    fn check(options: SamplingOptions, prompt: &[u32], row: [f32; 4], expected: &[Option<u32>]) {
        let mut sampler = sampler(options, prompt);
        for expected in expected {
            let (drawn, _, sampled) = sample(&mut sampler, &mut row.clone());
            assert_eq!(sampled, if expected.is_some() { Sampled::Open } else { Sampled::Stop });
            assert_eq!(drawn.map(|chosen| chosen.id.0), *expected);
        }
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        check(greedy(), &[], [1.0, 3.0, 3.0, 2.0], &[Some(1), Some(1)]);
    }

    #[test]
    fn bias_decides_with_and_without_a_draw() {
        let logit_bias = BTreeMap::from([(TokenId(1), -100.0), (TokenId(3), 2.5), (TokenId(99), 1.0)]);
        check(SamplingOptions { logit_bias: logit_bias.clone(), ..greedy() }, &[], [1.0, 3.0, 3.0, 2.0], &[Some(3)]);
        let options = SamplingOptions { logit_bias, top_k: Some(1), ..SamplingOptions::default() };
        check(options, &[], [1.0, 3.0, 3.0, 2.0], &[Some(3)]);
    }

    #[test]
    fn penalties_move_the_choice_away_from_what_was_seen() {
        let repetition = SamplingOptions { repetition_penalty: 2.0, ..greedy() };
        check(repetition.clone(), &[], [1.0, 3.0, 2.9, 1.6], &[Some(1), Some(2), Some(3), Some(1)]);
        check(repetition, &[1], [1.0, 3.0, 2.9, 1.6], &[Some(2), Some(3), Some(1)]);
        let presence = SamplingOptions { presence_penalty: 1.0, ..greedy() };
        check(presence, &[1], [1.0, 3.0, 2.9, 1.6], &[Some(1), Some(2), Some(1), Some(1)]);
        let frequency = SamplingOptions { frequency_penalty: 1.0, ..greedy() };
        check(frequency, &[1], [1.0, 3.0, 2.9, 1.6], &[Some(1), Some(2), Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn bias_comes_before_penalties() {
        let logit_bias = BTreeMap::from([(TokenId(1), 4.0)]);
        // (1 + 4) / 2 is less than 2.6; 1 / 2 + 4 is more.
        let options = SamplingOptions { logit_bias, repetition_penalty: 2.0, ..greedy() };
        check(options, &[1], [0.0, 1.0, 2.6, 0.0], &[Some(2)]);
    }

    #[test]
    fn a_stop_token_waits_for_the_least_number_of_tokens() {
        let stop_ids = vec![TokenId(2), TokenId(3), TokenId(99)];
        let row = [1.0, 1.5, 3.0, 2.0];
        let options = SamplingOptions { stop_ids: stop_ids.clone(), min_new_tokens: 2, ..greedy() };
        check(options, &[], row, &[Some(1), Some(1), None]);
        check(SamplingOptions { stop_ids: stop_ids.clone(), ..greedy() }, &[], row, &[None]);
        let draws = SamplingOptions { stop_ids, min_new_tokens: 1, top_k: Some(1), ..SamplingOptions::default() };
        check(draws, &[], row, &[Some(1), None]);
    }

    #[test]
    fn a_stop_token_does_not_wait_where_nothing_else_can_come() {
        let options = SamplingOptions { stop_ids: vec![TokenId(2)], min_new_tokens: 9, ..greedy() };
        check(options, &[], [f32::NEG_INFINITY, f32::NEG_INFINITY, 3.0, f32::NAN], &[None]);
    }

    #[test]
    fn logprobs_are_those_of_the_raw_row() {
        let logit_bias = BTreeMap::from([(TokenId(0), -100.0)]);
        let draws = SamplingOptions { temperature: 0.1, top_k: Some(1), ..SamplingOptions::default() };
        for options in [greedy(), draws] {
            let options = SamplingOptions { logit_bias: logit_bias.clone(), logprobs: Some(2), ..options };
            let row = [0.5_f32, 0.25, 0.125, 0.125].map(f32::ln);
            let Chosen { id, logprobs, .. } = sample(&mut sampler(options, &[]), &mut row.clone()).0.unwrap();
            let Logprobs { chosen, top } = logprobs.unwrap();
            assert_eq!((id, top[0].0, top[1].0), (TokenId(1), TokenId(0), TokenId(1)));
            for (logprob, expected) in [(chosen, row[1]), (top[0].1, row[0]), (top[1].1, row[1])] {
                assert!((logprob - expected).abs() < 1e-6, "{logprob} in place of {expected}");
            }
        }
    }

    #[test]
    fn a_seed_gives_its_tokens_beside_any_neighbour() {
        let options = |seed| SamplingOptions { seed, top_p: 0.9, ..SamplingOptions::default() };
        let row: Vec<f32> = (0..300).map(|id| (id % 17) as f32 / 4.0).collect();
        let alone: Vec<_> = {
            let mut sampler = sampler(options(7), &[]);
            (0..50).map(|_| sample(&mut sampler, &mut row.clone())).collect()
        };
        let (mut again, mut neighbour) = (sampler(options(7), &[]), sampler(options(8), &[]));
        let together =
            (0..50).map(|_| (sample(&mut neighbour, &mut row.clone()), sample(&mut again, &mut row.clone())));
        let (others, again): (Vec<_>, Vec<_>) = together.unzip();
        assert_eq!(alone, again);
        assert_ne!(alone, others);
    }

    #[test]
    fn a_row_without_a_finite_number_fails() {
        for options in [greedy(), SamplingOptions { min_new_tokens: 1, ..SamplingOptions::default() }] {
            let (_, _, sampled) = sample(&mut sampler(options, &[]), &mut [f32::NAN, f32::NEG_INFINITY]);
            assert!(matches!(sampled, Sampled::Failed(reason) if reason.contains("no finite logits")));
        }
    }

    fn pocket() -> Model {
        Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pocket/pocket.gguf")).unwrap()
    }

    fn grammar(model: &Model, schema: &Value) -> Grammar {
        model.grammars.compile(&Material::default(), &[], ToolChoice::None, Some(schema)).unwrap()
    }

    fn list() -> Value {
        json!({ "type": "array", "items": { "type": "string", "maxLength": 9 }, "maxItems": 9 })
    }

    #[test]
    fn the_largest_of_the_allowed_is_chosen_with_or_without_a_mask() {
        let model = pocket();
        let start = grammar(&model, &list());
        let params = SamplingParams::greedy(1).stop_at(model.tokenizer.eos());
        let mut random = StdRng::seed_from_u64(5);
        let (mut unmasked, mut masked) = (0, 0);
        for _ in 0..20 {
            let mut grammar = start.clone();
            let mut sampler = Sampler::new(params.clone(), Some(start.clone()), &[]);
            loop {
                let mut logits: Vec<f32> = (0..model.info.vocab_size).map(|_| random.random()).collect();
                let (drawn, forced, sampled) = sample(&mut sampler, &mut logits.clone());
                let first = largest(&logits);
                grammar.mask().unwrap().apply(&mut logits);
                let token = largest(&logits).unwrap();
                *if first == Some(token) { &mut unmasked } else { &mut masked } += 1;
                assert_eq!(drawn.map_or(model.tokenizer.eos(), |chosen| chosen.id), token);
                match sampled {
                    Sampled::Open => {}
                    Sampled::Complete | Sampled::Stop => break,
                    Sampled::Failed(reason) => panic!("{reason}"),
                }
                for id in [&[token], forced.as_slice()].concat() {
                    grammar.mask().unwrap();
                    grammar.accept(id).unwrap();
                }
            }
        }
        assert!(unmasked > 0 && masked > 0, "{unmasked} {masked}");
    }

    #[test]
    fn a_stop_token_that_waits_leaves_its_place_to_an_allowed_one() {
        let model = pocket();
        let text = model.grammars.compile(&Material::default(), &[], ToolChoice::None, None).unwrap();
        let options = SamplingOptions { min_new_tokens: 1, ..greedy() };
        let params = SamplingParams::try_from(options).unwrap().stop_at(model.tokenizer.eos());
        let mut sampler = Sampler::new(params, Some(text), &[]);
        let bos = 1; // a control token, which no text holds
        let mut row = vec![0.0; model.info.vocab_size];
        (row[model.tokenizer.eos().0 as usize], row[bos], row[2_000]) = (3.0, 2.0, 1.0);
        assert_eq!(sample(&mut sampler, &mut row.clone()).0.unwrap().id, TokenId(2_000));
        assert_eq!(sample(&mut sampler, &mut row).2, Sampled::Stop);
    }

    #[test]
    fn what_is_sampled_is_always_allowed() {
        let model = pocket();
        let start = grammar(&model, &list());
        let mut random = StdRng::seed_from_u64(6);
        for seed in 0..12 {
            let options = SamplingOptions {
                temperature: [0.0, 0.5, 3.0][seed as usize % 3],
                top_k: random.random_bool(0.5).then_some(40),
                top_p: random.random_range(0.5..1.0),
                min_p: random.random_range(0.0..0.1),
                repetition_penalty: 1.3,
                presence_penalty: 0.5,
                logit_bias: (0..50).map(|_| (TokenId(random.random_range(0..3072)), 50.0)).collect(),
                min_new_tokens: 5,
                seed,
                ..SamplingOptions::default()
            };
            let params = SamplingParams::try_from(options).unwrap().stop_at(model.tokenizer.eos());
            let (mut grammar, mut sampler) = (start.clone(), Sampler::new(params, Some(start.clone()), &[TokenId(9)]));
            loop {
                let mut logits: Vec<f32> = (0..model.info.vocab_size).map(|_| random.random_range(-5.0..5.0)).collect();
                let (drawn, forced, sampled) = sample(&mut sampler, &mut logits);
                let ids = drawn.map(|chosen| chosen.id).into_iter().chain(forced);
                for id in ids.chain((sampled == Sampled::Stop).then(|| model.tokenizer.eos())) {
                    assert!(grammar.allows(id).unwrap());
                    grammar.accept(id).unwrap();
                }
                match sampled {
                    Sampled::Open => {}
                    Sampled::Complete | Sampled::Stop => break,
                    Sampled::Failed(reason) => panic!("{reason}"),
                }
            }
        }
    }
}
