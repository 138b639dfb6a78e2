//! Forms of single values.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

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
            Data::Null | Data::List(_) | Data::Map(_) => {
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

/// A whole number.
pub(crate) struct Whole<T> {
    range: RangeInclusive<T>,
}

/// A whole number within `range`.
pub(crate) fn whole<T: TryFrom<i64> + PartialOrd + Display>(range: RangeInclusive<T>) -> Whole<T> {
    Whole { range }
}

impl<T: TryFrom<i64> + PartialOrd + Display + serde::Serialize> Shape for Whole<T> {
    type Out = T;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<T> {
        let Data::Int(given) = node.data else {
            wrong_type(node, "a whole number", unquote(node), report);
            return None;
        };
        let value = T::try_from(given).ok().filter(|value| self.range.contains(value));
        if value.is_none() {
            out_of_range(node, given, self.range.start(), self.range.end(), report);
        }
        value
    }

    fn schema(&self) -> Value {
        json!({"type": "integer", "minimum": self.range.start(), "maximum": self.range.end()})
    }
}

impl<T: TryFrom<i64> + PartialOrd + Display + serde::Serialize> Show for Whole<T> {
    fn show(&self, value: &T) -> Value {
        json!(value)
    }
}

/// A number.
pub(crate) struct Decimal {
    range: RangeInclusive<f64>,
}

/// A number within `range`, whole or not.
pub(crate) fn number(range: RangeInclusive<f64>) -> Decimal {
    Decimal { range }
}

impl Shape for Decimal {
    type Out = f64;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<f64> {
        let value = match node.data {
            Data::Int(value) => value as f64,
            Data::Float(value) => value,
            Data::Null | Data::Bool(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => {
                wrong_type(node, "a number", unquote(node), report);
                return None;
            }
        };
        if !self.range.contains(&value) {
            out_of_range(node, value, self.range.start(), self.range.end(), report);
            return None;
        }
        Some(value)
    }

    fn schema(&self) -> Value {
        json!({"type": "number", "minimum": plain(*self.range.start()), "maximum": plain(*self.range.end())})
    }
}

impl Show for Decimal {
    fn show(&self, value: &f64) -> Value {
        plain(*value)
    }
}

/// A time in seconds.
pub(crate) struct Seconds(Decimal);

/// A time in seconds, whole or not, within `range`.
pub(crate) fn seconds(range: RangeInclusive<u32>) -> Seconds {
    Seconds(number(f64::from(*range.start())..=f64::from(*range.end())))
}

impl Shape for Seconds {
    type Out = Duration;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Duration> {
        self.0.read(node, report).map(Duration::from_secs_f64)
    }

    fn schema(&self) -> Value {
        self.0.schema()
    }
}

impl Show for Seconds {
    fn show(&self, value: &Duration) -> Value {
        plain(value.as_secs_f64())
    }
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
            wrong_type(node, "true or false", "", report);
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

/// Says that a number is outside its limits.
pub(super) fn out_of_range<V: Display, T: Display>(node: &Node, given: V, low: &T, high: &T, report: &mut Report<'_>) {
    report.error(node.span, format!("{} is {given}; it must be {low} to {high}", report.path()), "");
}

/// For numbers in quotes or with a unit.
fn unquote(node: &Node) -> &'static str {
    let Data::Text(text) = &node.data else { return "" };
    match text.trim().parse::<f64>() {
        Ok(_) => "remove the quotes",
        Err(_) if text.starts_with(|first: char| first.is_ascii_digit()) => "write the number alone, without a unit",
        Err(_) => "",
    }
}

/// Whole numbers without a decimal point.
fn plain(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}
