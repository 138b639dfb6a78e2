//! What a reply must look like, enforced while it is written: calls of allowed tools, or an answer by JSON schema or
//! regular expression, an extract of the task's texts, or free text. Only tokens that keep to it can be chosen, so calls
//! and answers always parse. Schemas and expressions may come from anyone: what they cost is bounded.

mod compiler;
mod culprit;
mod extract;
#[cfg(test)]
mod hostile;
mod kept;
mod lark;
mod limits;
mod matcher;
mod material;
#[cfg(test)]
mod properties;
mod schema;
mod sentences;
mod sizes;
pub(crate) mod spelling;
mod verbatim;
mod vocabulary;
#[cfg(test)]
mod walk;

pub(crate) use compiler::GrammarCompiler;
pub use extract::{MAX_TITLE_WORDS, NotExtracted, check_extract};
pub use matcher::Grammar;
pub(crate) use matcher::Mask;
pub use material::{MAX_VERBATIM_WORDS, Material};
pub use verbatim::{Invented, invented};

use serde_json::Value;

use crate::chat::ToolDefinition;

/// Whether the model may, must not or must call a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It answers. The choice when no calls are left.
    None,
    /// It calls at least one.
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
    /// Text that this regular expression matches as a whole, in the syntax of the crate `regex`.
    Regex(String),
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
            AnswerForm::Text | AnswerForm::Extract | AnswerForm::Regex(_) => None,
        }
    }
}

/// What one reply may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyForm<'a> {
    /// What it may call.
    pub(crate) tools: &'a [ToolDefinition],
    pub(crate) choice: ToolChoice,
    /// The most calls that it may hold.
    pub(crate) max_calls: usize,
    pub(crate) answer: &'a AnswerForm,
    pub(crate) material: &'a Material,
    pub(crate) lead: Lead,
}

/// What stands in front of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// The tokenizer's space, which is not the answer's.
    Space,
    Nothing,
}

impl ReplyForm<'_> {
    fn may_call(&self) -> bool {
        !self.tools.is_empty() && self.max_calls > 0 && self.choice != ToolChoice::None
    }

    fn must_call(&self) -> bool {
        self.choice == ToolChoice::Required
    }

    /// With what each is called in errors.
    fn schemas(&self) -> impl Iterator<Item = (String, &Value)> {
        let answer = self.answer.schema().map(|schema| ("answer schema".to_owned(), schema));
        let tools = self.tools.iter().map(|tool| (format!("parameters of tool {:?}", tool.name), &tool.parameters));
        answer.into_iter().chain(tools)
    }

    fn has_verbatim(&self) -> bool {
        self.schemas().any(|(_, schema)| verbatim::is_within(schema))
    }

    /// Whether something in it is copied from the material.
    fn copies(&self) -> bool {
        !self.material.is_empty() && (self.has_verbatim() || *self.answer == AnswerForm::Extract)
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
    /// A regular expression that is none, or that costs too much.
    #[error("the answer's regular expression cannot be enforced: {0}; correct or simplify it")]
    Regex(String),
    /// Nothing to call.
    #[error("tool_choice is required but no tool is callable; give tools or choose auto")]
    NoTools,
    /// The parts are fine, together they are not.
    #[error("tools and the form of the answer cannot be enforced together: {0}; make them smaller")]
    Together(String),
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}
