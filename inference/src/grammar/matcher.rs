//! A compiled grammar that follows a reply token by token.

use std::sync::Arc;

use llguidance::Matcher;
use toktrie::SimpleVob;

use super::vocabulary::Vocabulary;
use crate::tokenizer::TokenId;

/// More is left to later tokens, so that spelling it holds up nobody.
const MAX_FORCED_BYTES: usize = 1024;

/// A compiled grammar at some point of a reply.
#[derive(Clone)]
pub struct Grammar {
    matcher: Matcher,
    vocabulary: Arc<Vocabulary>,
}

/// The tokens that may come next.
pub(crate) struct Mask(SimpleVob);

impl Mask {
    /// Takes every token out of the draw that may not come next.
    pub(crate) fn apply(&self, logits: &mut [f32]) {
        self.0.iter_unset_entries(|index| {
            if let Some(logit) = logits.get_mut(index) {
                *logit = f32::NEG_INFINITY;
            }
        });
    }
}

impl Grammar {
    pub(super) fn new(matcher: Matcher, vocabulary: Arc<Vocabulary>) -> Self {
        Grammar { matcher, vocabulary }
    }

    /// What may come next.
    pub(crate) fn mask(&mut self) -> Result<Mask, String> {
        self.matcher.compute_mask_or_eos().map(Mask).map_err(|error| error.to_string())
    }

    /// Whether the token may come next: what the mask would say of it, at a small part of the mask's price.
    pub(crate) fn allows(&mut self, id: TokenId) -> Result<bool, String> {
        self.matcher.validate_tokens(&[id.0]).map(|valid| valid == 1).map_err(|error| error.to_string())
    }

    /// How many of these tokens, from the first on, may come next.
    pub(crate) fn num_allowed(&mut self, ids: &[TokenId]) -> usize {
        let ids: Vec<u32> = ids.iter().map(|id| id.0).collect();
        self.matcher.validate_tokens(&ids).unwrap_or(0)
    }

    /// Takes note of the tokens that come next in any case, and gives them. Of a long text, the beginning.
    pub(crate) fn force(&mut self) -> Result<Vec<TokenId>, String> {
        let mut forced = self.matcher.compute_ff_bytes();
        if let Some(error) = self.matcher.get_error() {
            return Err(error);
        }
        forced.truncate(MAX_FORCED_BYTES);
        let mut ids = self.vocabulary.spell(&forced);
        let numbers: Vec<u32> = ids.iter().map(|id| id.0).collect();
        ids.truncate(self.matcher.validate_tokens(&numbers).map_err(|error| error.to_string())?);
        ids.iter().try_for_each(|id| self.accept(*id))?;
        Ok(ids)
    }

    /// Takes note of a token.
    pub(crate) fn accept(&mut self, id: TokenId) -> Result<(), String> {
        self.matcher.consume_token(id.0).map_err(|error| error.to_string())
    }

    /// Nothing more can follow.
    pub(crate) fn is_finished(&self) -> bool {
        self.matcher.is_stopped()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use serde_json::json;

    use super::super::{Material, ToolChoice};
    use super::*;
    use crate::chat::ToolDefinition;
    use crate::model::Model;

    /// Replies that keep to the mask and are random otherwise.
    #[test]
    fn a_token_is_allowed_when_the_mask_allows_it() {
        let model = Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pocket/pocket.gguf")).unwrap();
        let schema = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "maxLength": 8 },
                "size": { "type": "number", "minimum": -3, "maximum": 70 },
                "kind": { "enum": ["first", "second", null] },
            },
            "required": ["name", "size", "kind"],
            "additionalProperties": false,
        });
        let tool = ToolDefinition { name: "find".to_owned(), description: String::new(), parameters: schema.clone() };
        let start = model.grammars.compile(&Material::default(), &[tool], ToolChoice::Auto, Some(&schema)).unwrap();
        let mut random = StdRng::seed_from_u64(3);
        for _ in 0..6 {
            let mut grammar = start.clone();
            while !grammar.is_finished() {
                let ids: Vec<TokenId> = (0..model.info.vocab_size as u32).map(TokenId).collect();
                let allowed: Vec<TokenId> = ids.iter().copied().filter(|id| grammar.allows(*id).unwrap()).collect();
                let Mask(mask) = grammar.mask().unwrap();
                let masked: Vec<TokenId> = ids.into_iter().filter(|id| mask.is_allowed(id.0)).collect();
                assert_eq!(allowed, masked);
                let next = *allowed.choose(&mut random).unwrap();
                if next == model.tokenizer.eos() {
                    break;
                }
                grammar.accept(next).unwrap();
            }
        }
    }

    /// Forced tokens spell what any reply has there, and end where another token could go on beyond it.
    #[test]
    fn what_a_schema_leaves_no_choice_about_is_forced_as_the_tokenizer_splits_it() {
        let model = Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pocket/pocket.gguf")).unwrap();
        let schema = json!({
            "type": "object",
            "properties": { "description": { "const": "always the same" }, "number": { "type": "integer" } },
            "required": ["description", "number"],
            "additionalProperties": false,
        });
        let mut grammar = model.grammars.compile(&Material::default(), &[], ToolChoice::None, Some(&schema)).unwrap();
        let forced = grammar.force().unwrap();
        let text = model.tokenizer.decode(&forced);
        let whole = r#" {"description": "always the same", "number": "#;
        assert!(whole.starts_with(&text) && text.len() + 8 > whole.len(), "{text:?}");
        assert!(model.tokenizer.encode_text(whole.trim_start()).starts_with(&forced));
    }
}
