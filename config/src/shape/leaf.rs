//! Forms of single values that are no numbers.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Value, json};
use types::InvalidName;

use super::{Shape, Show, wrong_type};
use crate::nearest::nearest;
use crate::source::Report;
use crate::yaml::{Data, Node};

/// Any JSON value.
pub(crate) struct Anything;

/// Any value at all.
pub(crate) fn anything() -> Anything {
    Anything
}

impl Shape for Anything {
    type Out = Value;

    fn read(&self, node: &Node, _: &mut Report<'_>) -> Option<Value> {
        Some(node.to_json())
    }

    fn schema(&self) -> Value {
        json!({})
    }
}

/// Text with something in it.
pub(crate) struct Text;

/// Text that is not empty.
pub(crate) fn text() -> Text {
    Text
}

impl Shape for Text {
    type Out = String;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<String> {
        match &node.data {
            Data::Text(text) if text.trim().is_empty() => {
                report.error(node.span, format!("{} is empty", report.path()), "");
                None
            }
            Data::Text(text) => Some(text.clone()),
            Data::Bool(_) | Data::Int(_) | Data::Float(_) => {
                wrong_type(node, "text", "put it in quotes", report);
                None
            }
            Data::Broken | Data::Null | Data::List(_) | Data::Map(_) => {
                wrong_type(node, "text", "", report);
                None
            }
        }
    }

    fn schema(&self) -> Value {
        json!({"type": "string", "minLength": 1})
    }
}

impl Show for Text {
    fn show(&self, value: &String) -> Value {
        json!(value)
    }
}

/// Text that some rule turns into a value.
pub(crate) struct Parsed<F> {
    schema: Value,
    parse: F,
}

/// Text that `parse` turns into a value, or says in words and a hint why it cannot.
pub(crate) fn parsed<T, F: Fn(&str) -> Result<T, (String, String)>>(schema: Value, parse: F) -> Parsed<F> {
    Parsed { schema, parse }
}

impl<T, F: Fn(&str) -> Result<T, (String, String)>> Shape for Parsed<F> {
    type Out = T;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<T> {
        let text = Text.read(node, report)?;
        match (self.parse)(&text) {
            Ok(value) => Some(value),
            Err((problem, hint)) => {
                report.error(node.span, format!("{} is {}: {problem}", report.path(), node.found()), hint);
                None
            }
        }
    }

    fn schema(&self) -> Value {
        let mut schema = json!({"type": "string", "minLength": 1});
        if let (Value::Object(schema), Value::Object(more)) = (&mut schema, &self.schema) {
            schema.extend(more.clone());
        }
        schema
    }
}

impl<T: Display, F: Fn(&str) -> Result<T, (String, String)>> Show for Parsed<F> {
    fn show(&self, value: &T) -> Value {
        json!(value.to_string())
    }
}

/// A name that becomes a newtype of `types`.
pub(crate) fn name<T: FromStr<Err = InvalidName> + Display>() -> impl Show<Out = T> + use<T> {
    let schema = json!({"pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"});
    parsed(schema, |text| {
        text.parse::<T>().map_err(|error| (format!("not a valid {}", error.what), format!("use {}", error.rule)))
    })
}

/// Yes or no.
pub(crate) struct Flag;

/// `true` or `false`.
pub(crate) fn flag() -> Flag {
    Flag
}

impl Shape for Flag {
    type Out = bool;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<bool> {
        let Data::Bool(value) = node.data else {
            let quoted = matches!(&node.data, Data::Text(text) if text == "true" || text == "false");
            wrong_type(node, "true or false", if quoted { "remove the quotes" } else { "" }, report);
            return None;
        };
        Some(value)
    }

    fn schema(&self) -> Value {
        json!({"type": "boolean"})
    }
}

impl Show for Flag {
    fn show(&self, value: &bool) -> Value {
        json!(value)
    }
}

/// One of a few words.
pub(crate) struct Choice<T: 'static> {
    words: &'static [(&'static str, T)],
}

/// One of a few words, each with its meaning.
pub(crate) fn choice<T: Copy + PartialEq>(words: &'static [(&'static str, T)]) -> Choice<T> {
    Choice { words }
}

impl<T> Choice<T> {
    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.words.iter().map(|(word, _)| *word)
    }
}

impl<T: Copy + PartialEq> Shape for Choice<T> {
    type Out = T;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<T> {
        let expected = format!("one of {}", self.words().collect::<Vec<_>>().join(", "));
        let Data::Text(given) = &node.data else {
            wrong_type(node, &expected, "", report);
            return None;
        };
        let known = self.words.iter().find(|(word, _)| word == given).map(|(_, value)| *value);
        if known.is_none() {
            let hint = nearest(given, self.words()).map(|word| format!("did you mean {word}?"));
            wrong_type(node, &expected, hint.unwrap_or_default(), report);
        }
        known
    }

    fn schema(&self) -> Value {
        json!({"enum": self.words().collect::<Vec<_>>()})
    }
}

impl<T: Copy + PartialEq> Show for Choice<T> {
    fn show(&self, value: &T) -> Value {
        json!(self.words.iter().find(|(_, known)| known == value).map(|(word, _)| *word))
    }
}
