//! Chooses a sequence's next token from a row of logits: grammar first, then temperature and top-p, or the largest.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::params::SamplingParams;
use crate::grammar::Grammar;
use crate::tokenizer::TokenId;

/// One sequence's choices; its random numbers are its own, so neighbours change nothing.
pub(crate) struct Sampler {
    params: SamplingParams,
    grammar: Option<Grammar>,
    random: StdRng,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sampled {
    /// The sequence goes on with this token.
    Token(TokenId),
    /// This token completes the grammar.
    Last(TokenId),
    /// A stop token: the sequence ends without it.
    Stop,
    /// No token can be chosen.
    Failed(String),
}

impl Sampler {
    pub(crate) fn new(params: SamplingParams, grammar: Option<Grammar>) -> Self {
        let random = StdRng::seed_from_u64(params.seed);
        Sampler { params, grammar, random }
    }

    pub(crate) fn sample(&mut self, logits: &mut [f32]) -> Sampled {
        self.choose(logits).unwrap_or_else(Sampled::Failed)
    }

    fn choose(&mut self, logits: &mut [f32]) -> Result<Sampled, String> {
        let is_greedy = self.params.temperature == 0.0;
        if let Some(grammar) = &mut self.grammar {
            // Mostly the largest of all is allowed; it is then the largest of the allowed, and no mask is needed.
            let largest = if is_greedy { largest(logits) } else { None };
            if !largest.map_or(Ok(false), |token| grammar.allows(token))? {
                grammar.mask()?.apply(logits);
            }
        }
        let token = match is_greedy {
            true => largest(logits),
            false => draw(logits, self.params.temperature, self.params.top_p, self.random.random()),
        };
        // A row of NaN, or a grammar that allows nothing, has no largest.
        let token = token.ok_or("the model gave no finite logits for the allowed tokens")?;
        if self.params.stop_ids.contains(&token) {
            return Ok(Sampled::Stop);
        }
        if let Some(grammar) = &mut self.grammar {
            grammar.accept(token)?;
            if grammar.is_finished() {
                return Ok(Sampled::Last(token));
            }
        }
        Ok(Sampled::Token(token))
    }
}

/// The first of the largest finite ones.
fn largest(logits: &[f32]) -> Option<TokenId> {
    let mut best: Option<(u32, f32)> = None;
    for (id, logit) in (0..).zip(logits) {
        if logit.is_finite() && best.is_none_or(|(_, largest)| *logit > largest) {
            best = Some((id, *logit));
        }
    }
    best.map(|(id, _)| TokenId(id))
}

/// `unit` is uniform in `0.0..1.0`.
fn draw(logits: &[f32], temperature: f32, top_p: f32, unit: f32) -> Option<TokenId> {
    let largest = logits[largest(logits)?.0 as usize];
    let finite = (0..).zip(logits).filter(|(_, logit)| logit.is_finite());
    let mut shares: Vec<(u32, f32)> = finite.map(|(id, logit)| (id, ((logit - largest) / temperature).exp())).collect();
    let total: f32 = shares.iter().map(|(_, share)| share).sum();
    if top_p < 1.0 {
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut sum = 0.0;
        let kept = shares.iter().take_while(|(_, share)| {
            let before = sum;
            sum += share;
            before < top_p * total
        });
        let kept = kept.count();
        shares.truncate(kept);
    }
    let total: f32 = shares.iter().map(|(_, share)| share).sum();
    let mut left = unit * total;
    for (id, share) in &shares {
        left -= share;
        if left < 0.0 {
            return Some(TokenId(*id));
        }
    }
    // Rounding can leave a remainder; the last candidate owns it.
    shares.last().map(|(id, _)| TokenId(*id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::grammar::ToolChoice;
    use crate::model::Model;

    #[track_caller]
    fn check(top_p: f32, unit: f32, expected: u32) {
        let logits = [0.5_f32.ln(), f32::NEG_INFINITY, 0.25_f32.ln(), 0.25_f32.ln()];
        assert_eq!(draw(&logits, 1.0, top_p, unit), Some(TokenId(expected)));
    }

    #[test]
    fn tokens_are_drawn_by_their_shares() {
        check(1.0, 0.0, 0);
        check(1.0, 0.49, 0);
        check(1.0, 0.51, 2);
        check(1.0, 0.99, 3);
    }

    #[test]
    fn top_p_keeps_the_most_probable() {
        check(0.5, 0.99, 0);
        check(0.6, 0.99, 2);
    }

    #[test]
    fn rows_without_a_finite_number_choose_nothing() {
        assert_eq!(largest(&[f32::NAN, f32::NEG_INFINITY]), None);
        assert_eq!(largest(&[f32::NAN, -3.0, 2.0, 2.0]), Some(TokenId(2)));
    }

    #[test]
    fn the_largest_of_the_allowed_is_chosen_with_or_without_a_mask() {
        let model = Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pocket/pocket.gguf")).unwrap();
        let schema = json!({ "type": "array", "items": { "type": "string", "maxLength": 9 }, "maxItems": 9 });
        let mut grammar = model.grammars.compile(&[], ToolChoice::None, Some(&schema)).unwrap();
        let mut sampler = Sampler::new(SamplingParams::greedy(1).stop_at(model.tokenizer.eos()), Some(grammar.clone()));
        let mut random = StdRng::seed_from_u64(5);
        let (mut unmasked, mut masked) = (0, 0);
        loop {
            let mut logits: Vec<f32> = (0..model.info.vocab_size).map(|_| random.random()).collect();
            let sampled = sampler.sample(&mut logits.clone());
            let first = largest(&logits);
            grammar.mask().unwrap().apply(&mut logits);
            let token = largest(&logits).unwrap();
            *if first == Some(token) { &mut unmasked } else { &mut masked } += 1;
            match sampled {
                Sampled::Token(sampled) => assert_eq!(sampled, token),
                Sampled::Last(last) => break assert_eq!(last, token),
                Sampled::Stop => break assert_eq!(token, model.tokenizer.eos()),
                Sampled::Failed(reason) => panic!("{reason}"),
            }
            grammar.accept(token).unwrap();
        }
        assert!(unmasked > 0 && masked > 0, "{unmasked} {masked}");
    }
}
