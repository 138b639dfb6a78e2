//! What a value must look like. One declaration reads the YAML, words the mistakes, and gives the JSON Schema that
//! editors use, so that the three cannot disagree.

mod fields;
mod leaf;
mod numbers;
mod size;

use serde_json::{Map, Value, json};

pub(crate) use fields::{Fields, object};
pub(crate) use leaf::{anything, choice, flag, name, parsed, text};
pub(crate) use numbers::{number, seconds, whole};
pub(crate) use size::bytes;

use crate::source::Report;
use crate::yaml::{Data, Node};

/// A form of value.
pub(crate) trait Shape {
    /// What it is read into.
    type Out;

    /// The value of `node`; `None` after reporting why not.
    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Self::Out>;

    /// Its JSON Schema.
    fn schema(&self) -> Value;
}

/// A form whose values can be shown in the schema as a default.
pub(crate) trait Show: Shape {
    /// The value as a file would have it.
    fn show(&self, value: &Self::Out) -> Value;
}

/// Says that `node` is of another type than expected.
pub(crate) fn wrong_type(node: &Node, expected: &str, hint: impl Into<String>, report: &mut Report<'_>) {
    let path = report.path();
    match node.data {
        // Its own mistake has been reported.
        Data::Broken => {}
        Data::Null => {
            let message = format!("{path} has no value; expected {expected}");
            report.error(node.span, message, "give it a value, or remove the key");
        }
        _ => report.error(node.span, format!("{path} is {}; expected {expected}", node.found()), hint),
    }
}

/// A list of one form.
pub(crate) struct List<S>(S);

/// A list whose elements have one form.
pub(crate) fn list<S: Shape>(item: S) -> List<S> {
    List(item)
}

impl<S: Shape> Shape for List<S> {
    type Out = Vec<S::Out>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Vec<S::Out>> {
        let Data::List(items) = &node.data else {
            wrong_type(node, "a list", "start each element with \"- \", or write [] for none", report);
            return None;
        };
        // Every element is read before the first bad one makes the list bad.
        let read: Vec<_> = (items.iter().enumerate())
            .map(|(index, item)| report.within(format!("[{index}]"), |report| self.0.read(item, report)))
            .collect();
        read.into_iter().collect()
    }

    fn schema(&self) -> Value {
        json!({"type": "array", "items": self.0.schema()})
    }
}

/// A mapping from names of the file's own choosing.
pub(crate) struct Named<S>(S);

/// A mapping from any names to one form, in the order of the file.
pub(crate) fn named<S: Shape>(value: S) -> Named<S> {
    Named(value)
}

impl<S: Shape> Shape for Named<S> {
    type Out = Vec<(String, S::Out)>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Self::Out> {
        let Data::Map(entries) = &node.data else {
            wrong_type(node, "a mapping from names", "write {} for none", report);
            return None;
        };
        let read: Vec<_> = (entries.iter())
            .map(|entry| {
                let value = report.within(&entry.key, |report| self.0.read(&entry.value, report))?;
                Some((entry.key.clone(), value))
            })
            .collect();
        read.into_iter().collect()
    }

    fn schema(&self) -> Value {
        json!({"type": "object", "additionalProperties": self.0.schema()})
    }
}

/// A mapping of any JSON values.
pub(crate) struct JsonMap;

impl Shape for JsonMap {
    type Out = Map<String, Value>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Self::Out> {
        match node.to_json() {
            Value::Object(map) => Some(map),
            _ => {
                wrong_type(node, "a mapping", "", report);
                None
            }
        }
    }

    fn schema(&self) -> Value {
        json!({"type": "object"})
    }
}

/// A form whose failure does not end the reading of what is around it.
pub(crate) struct Attempt<S>(S);

/// `shape`, or `None` after its mistakes have been reported: the rest is still read and checked.
pub(crate) fn attempt<S: Shape>(shape: S) -> Attempt<S> {
    Attempt(shape)
}

impl<S: Shape> Shape for Attempt<S> {
    type Out = Option<S::Out>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Option<S::Out>> {
        Some(self.0.read(node, report))
    }

    fn schema(&self) -> Value {
        self.0.schema()
    }
}
