//! What a reply must look like, enforced while it is written: a call of an allowed tool, or an answer by JSON schema,
//! or free text. Only tokens that keep to it can be chosen, so calls and answers always parse.

mod compiler;
mod culprit;
mod lark;

pub(crate) use compiler::GrammarCompiler;

use llguidance::Matcher;
use toktrie::SimpleVob;

use crate::tokenizer::TokenId;

/// Whether the model may, must not or must call a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It answers. The choice when no calls are left.
    None,
    /// It calls one.
    Required,
}

/// Why a grammar was not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// A schema says what cannot be enforced.
    #[error("{place} cannot be enforced{}: {reason}; change or drop that part", at(.pointer))]
    Schema {
        /// Which schema: `answer schema` or `parameters of tool "x"`.
        place: String,
        /// JSON pointer to the smallest part that fails; empty for the whole.
        pointer: String,
        /// What the compiler says.
        reason: String,
    },
    /// Nothing to call.
    #[error("tool_choice is required but no tool is callable; give tools or choose auto")]
    NoTools,
    /// The parts are fine, together they are not.
    #[error("tools and answer schema cannot be enforced together: {0}; make them smaller")]
    Together(String),
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

/// A compiled grammar at some point of a reply.
#[derive(Clone)]
pub struct Grammar {
    matcher: Matcher,
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
    /// What may come next.
    pub(crate) fn mask(&mut self) -> Result<Mask, String> {
        self.matcher.compute_mask_or_eos().map(Mask).map_err(|error| error.to_string())
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
