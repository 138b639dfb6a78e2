//! For tests: answers that a grammar allows, and whether it allows an answer.
#![allow(clippy::unwrap_used)]

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

/// An answer that keeps to the grammar and is random otherwise.
pub(super) fn any_answer(model: &Model, mut grammar: Grammar, random: &mut StdRng) -> String {
    let mut written = Vec::new();
    while !grammar.is_finished() {
        let ids = (0..model.info.vocab_size as u32).map(TokenId);
        let allowed: Vec<TokenId> = ids.filter(|id| grammar.allows(*id).unwrap()).collect();
        let next = *allowed.choose(random).unwrap();
        if next == model.tokenizer.eos() {
            break;
        }
        grammar.accept(next).unwrap();
        written.push(next);
    }
    let text = model.tokenizer.decode(&written);
    text.strip_prefix(' ').unwrap_or(&text).to_owned()
}
