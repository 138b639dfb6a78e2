//! What a reply must look like, enforced while it is written: a call of an allowed tool, or an answer by JSON schema,
//! an extract of the task's texts, or free text. Only tokens that keep to it can be chosen, so calls and answers always
//! parse.

mod compiler;
mod culprit;
mod extract;
mod lark;
mod matcher;
mod material;
mod schema;
mod sentences;
mod verbatim;
mod vocabulary;
#[cfg(test)]
mod walk;

pub(crate) use compiler::GrammarCompiler;
pub use extract::{MAX_TITLE_WORDS, NotExtracted, check_extract};
pub use matcher::Grammar;
pub use material::{MAX_VERBATIM_WORDS, Material};
pub use verbatim::{Invented, invented};

use serde_json::Value;

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

/// What an answer looks like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AnswerForm {
    /// Any text.
    #[default]
    Text,
    /// A title line, then `- ` and a sentence on each line, all copied from the material; see [`check_extract`].
    Extract,
    /// JSON of this schema.
    Json(Value),
}

/// JSON of the schema, or text where there is none.
impl From<Option<&Value>> for AnswerForm {
    fn from(schema: Option<&Value>) -> Self {
        schema.cloned().map_or(AnswerForm::Text, AnswerForm::Json)
    }
}

impl AnswerForm {
    pub(crate) fn schema(&self) -> Option<&Value> {
        match self {
            AnswerForm::Json(schema) => Some(schema),
            AnswerForm::Text | AnswerForm::Extract => None,
        }
    }
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
