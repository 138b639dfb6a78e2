//! The form of an agent's answer, and the fields that the platform adds to it by rule.

use serde::Serialize;
use serde_json::{Map, Value};

/// The form of an agent's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OutputSpec {
    /// JSON Schema of the answer; without one the answer is text.
    pub schema: Option<Value>,
    /// Whether a text answer can only be a title line and sentences copied from the task's texts; never with a schema.
    pub extractive: bool,
    /// Fields that the platform adds by rule; the model neither sees nor sets them.
    pub derived: Vec<DerivedField>,
}

/// A boolean field: true when any condition holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DerivedField {
    /// Its name in the answer.
    pub name: String,
    /// One of these is enough.
    pub any: Vec<Condition>,
}

/// Holds when `field` of the answer is one of `in`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// A field of the schema.
    pub field: String,
    /// The values that fulfil the condition.
    pub r#in: Vec<Value>,
}

impl OutputSpec {
    /// Adds the derived fields to an answer that fits the schema.
    pub fn derive(&self, answer: &mut Map<String, Value>) {
        for derived in &self.derived {
            let holds = derived.any.iter().any(|condition| condition.holds(answer));
            answer.insert(derived.name.clone(), Value::Bool(holds));
        }
    }
}

impl Condition {
    fn holds(&self, answer: &Map<String, Value>) -> bool {
        answer.get(&self.field).is_some_and(|value| self.r#in.contains(value))
    }
}
