//! Sizes in bytes, as a number or with a binary unit.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::numbers::out_of_range;
use super::{Shape, Show, wrong_type};
use crate::source::Report;
use crate::yaml::{Data, Node};

const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A size in bytes.
pub(crate) struct Bytes {
    range: RangeInclusive<u64>,
}

/// A number of bytes, or a text such as `20 MiB`, within `range`.
pub(crate) fn bytes(range: RangeInclusive<u64>) -> Bytes {
    Bytes { range }
}

impl Shape for Bytes {
    type Out = u64;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<u64> {
        let given = match &node.data {
            Data::Int(bytes) => u64::try_from(*bytes).ok(),
            Data::Text(text) => parse(text),
            Data::Broken | Data::Null | Data::Bool(_) | Data::Float(_) | Data::List(_) | Data::Map(_) => None,
        };
        let Some(given) = given else {
            wrong_type(node, "a size", "write a number of bytes, or a text such as 20 MiB (KiB, MiB, GiB)", report);
            return None;
        };
        if !self.range.contains(&given) {
            out_of_range(node, in_units(given), &in_units(*self.range.start()), &in_units(*self.range.end()), report);
            return None;
        }
        Some(given)
    }

    fn schema(&self) -> Value {
        json!({"anyOf": [
            {"type": "integer", "minimum": self.range.start(), "maximum": self.range.end()},
            {"type": "string", "pattern": "^[0-9]+ *(KiB|MiB|GiB)$"}
        ]})
    }
}

impl Show for Bytes {
    fn show(&self, value: &u64) -> Value {
        json!(in_units(*value))
    }
}

fn parse(text: &str) -> Option<u64> {
    let (unit, factor) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?.trim_end();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn in_units(bytes: u64) -> String {
    match UNITS.iter().rev().find(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{} {unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_write_them() {
        assert_eq!(parse("20 MiB"), Some(20 * 1024 * 1024));
        assert_eq!(parse("4KiB"), Some(4096));
        for wrong in ["20 MB", "MiB", "+1 KiB", "1.5 GiB", "99999999999 GiB"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(in_units(20 << 20), "20 MiB");
        assert_eq!(in_units(1000), "1000");
    }
}
