//! YAML as a tree whose every node knows its place.

mod build;

use saphyr::Scalar;
use serde_json::{Map, Number, Value};

use crate::secrets;
use crate::source::Span;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) data: Data,
}

/// What stands in a node.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// Something is wrong with it that has been reported.
    Broken,
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// A single value, as in an environment variable.
    pub(crate) fn scalar(text: &str) -> Node {
        Node { span: Span::new(1, 1, text.chars().count()), data: Scalar::parse_from_cow(text.into()).into() }
    }

    /// The entry of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The node that a JSON pointer leads to, or the last one on the way that exists.
    pub(crate) fn at_pointer(&self, pointer: &str) -> &Node {
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let next = match &node.data {
                Data::Map(_) => node.get(&segment).map(|entry| &entry.value),
                Data::List(items) => segment.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            let Some(next) = next else { return node };
            node = next;
        }
        node
    }

    /// The same value in JSON; what JSON cannot say (infinity, not a number) becomes null.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Broken | Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Int(value) => Value::from(*value),
            Data::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Data::Text(value) => Value::String(value.clone()),
            Data::List(items) => items.iter().map(Node::to_json).collect(),
            Data::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// What stands here, in words.
    pub(crate) fn found(&self) -> String {
        match &self.data {
            Data::Broken | Data::Null => "nothing".to_owned(),
            Data::Bool(value) => value.to_string(),
            Data::Int(value) => format!("the number {value}"),
            Data::Float(value) => format!("the number {value}"),
            Data::Text(text) => {
                let line = secrets::mask(text.lines().next().unwrap_or_default());
                let short: String = line.chars().take(60).collect();
                if short.len() < text.len() {
                    format!("the text {:?}…", short)
                } else {
                    format!("the text {short:?}")
                }
            }
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a mapping".to_owned(),
        }
    }

    /// Itself and everything in it.
    fn count(&self) -> usize {
        1 + match &self.data {
            Data::List(items) => items.iter().map(Node::count).sum(),
            Data::Map(entries) => entries.iter().map(|entry| entry.value.count()).sum(),
            Data::Broken | Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::Text(_) => 0,
        }
    }
}

impl From<Scalar<'_>> for Data {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Data::Null,
            Scalar::Boolean(value) => Data::Bool(value),
            Scalar::Integer(value) => Data::Int(value),
            Scalar::FloatingPoint(value) => Data::Float(value.into_inner()),
            Scalar::String(text) => Data::Text(text.into_owned()),
        }
    }
}
