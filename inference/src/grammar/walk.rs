//! For tests: answers that a grammar allows, and whether it allows an answer.
#![allow(clippy::unwrap_used)]

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Grammar, Material};
use crate::model::Model;
use crate::tokenizer::TokenId;

pub(super) fn model() -> Model {
    Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pocket/pocket.gguf")).unwrap()
}

pub(super) fn material(text: &str) -> Material {
    let mut material = Material::default();
    material.add(text);
    material
}

/// Whether the text is a whole answer.
pub(super) fn takes(model: &Model, mut grammar: Grammar, text: &str) -> bool {
    let ids = model.tokenizer.encode_text(text);
    let mut step = |id| {
        grammar.mask().unwrap();
        grammar.allows(id).unwrap() && grammar.accept(id).is_ok()
    };
    let all = ids.into_iter().all(&mut step);
    all && (grammar.is_finished() || grammar.allows(model.tokenizer.eos()).unwrap())
}

/// An answer that keeps to the grammar and is random otherwise, with an inclination to come to an end.
pub(super) fn any_answer(model: &Model, grammar: Grammar, random: &mut StdRng) -> String {
    let text = model.tokenizer.decode(&any_tokens(model, grammar, random));
    text.strip_prefix(' ').unwrap_or(&text).to_owned()
}

/// The tokens of such an answer, or of calls.
pub(super) fn any_tokens(model: &Model, mut grammar: Grammar, random: &mut StdRng) -> Vec<TokenId> {
    let mut written = Vec::new();
    while !grammar.is_finished() {
        let mut logits = vec![0.0; model.info.vocab_size];
        grammar.mask().unwrap().apply(&mut logits);
        let ids = (0..).map(TokenId);
        let allowed: Vec<TokenId> = ids.zip(&logits).filter(|(_, logit)| logit.is_finite()).map(|(id, _)| id).collect();
        let closing: Vec<TokenId> = allowed.iter().copied().filter(|id| closes(model, *id)).collect();
        let from = if !closing.is_empty() && random.random_bool(0.15) { &closing } else { &allowed };
        let next = *from.choose(random).unwrap();
        if next == model.tokenizer.eos() {
            break;
        }
        grammar.accept(next).unwrap();
        written.push(next);
    }
    written
}

fn closes(model: &Model, id: TokenId) -> bool {
    let text = model.tokenizer.decode(&[id]);
    id == model.tokenizer.eos() || text.contains(['"', '}', ']'])
}
