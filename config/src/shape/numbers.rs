//! Numbers and times, within limits.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Shape, Show, wrong_type};
use crate::source::Report;
use crate::yaml::{Data, Node};

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
            Data::Broken | Data::Null | Data::Bool(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => {
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

/// Says that a number is outside its limits.
pub(super) fn out_of_range<V: Display, T: Display>(node: &Node, given: V, low: &T, high: &T, report: &mut Report<'_>) {
    let (low, high) = (low.to_string(), high.to_string());
    let limits = if low == high { low } else { format!("{low} to {high}") };
    report.error(node.span, format!("{} is {given}; it must be {limits}", report.path()), "");
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
