//! JSON spelled as Python's `json.dumps(ensure_ascii=False)` does: what models of this family were trained on.

use std::fmt::Write;

use serde_json::Value;

/// What stands between the parts of lists and objects.
pub(crate) struct Layout {
    /// Spaces before an item on a line of its own, for each level; all on one line if absent.
    pub(crate) indent: Option<usize>,
    pub(crate) between_items: String,
    pub(crate) after_key: String,
}

impl Layout {
    /// The separators that `json.dumps` has by itself.
    pub(crate) fn new(indent: Option<usize>) -> Self {
        let between_items = if indent.is_some() { "," } else { ", " };
        Layout { indent, between_items: between_items.to_owned(), after_key: ": ".to_owned() }
    }
}

/// `", "` and `": "` between, keys in their order, characters as they are.
pub(crate) fn dumps(value: &Value) -> String {
    dumps_as(value, &Layout::new(None))
}

/// As `dumps`, in another layout.
pub(crate) fn dumps_as(value: &Value, layout: &Layout) -> String {
    let mut text = String::new();
    write_value(value, layout, 0, &mut text);
    text
}

fn write_value(value: &Value, layout: &Layout, level: usize, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(number, text),
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            let write = |item: &Value, text: &mut String| write_value(item, layout, level + 1, text);
            write_items(['[', ']'], items, layout, level, text, write);
        }
        Value::Object(entries) => write_items(['{', '}'], entries, layout, level, text, |(key, item), text| {
            write_string(key, text);
            text.push_str(&layout.after_key);
            write_value(item, layout, level + 1, text);
        }),
    }
}

fn write_items<T>(
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    layout: &Layout,
    level: usize,
    text: &mut String,
    write: impl Fn(T, &mut String),
) {
    let begin_line = |level: usize, text: &mut String| {
        if let Some(indent) = layout.indent {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent * level));
        }
    };
    text.push(open);
    let mut is_empty = true;
    for item in items {
        if !is_empty {
            text.push_str(&layout.between_items);
        }
        is_empty = false;
        begin_line(level + 1, text);
        write(item, text);
    }
    if !is_empty {
        begin_line(level, text);
    }
    text.push(close);
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", control as u32);
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

/// Integers as they are; other numbers as Python's `repr(float)`: the shortest digits that read back the same, with an
/// exponent below 1e-4 and from 1e16.
fn write_number(number: &serde_json::Number, text: &mut String) {
    let float = match number.as_f64() {
        Some(float) if number.is_f64() => float,
        Some(_) | None => {
            let _ = write!(text, "{number}");
            return;
        }
    };
    // `{:e}` has the same shortest digits: `-1.25e-7`.
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(text, "{mantissa}e{sign}{:02}", exponent.abs());
    } else if float.fract() == 0.0 {
        let _ = write!(text, "{float:.1}");
    } else {
        let _ = write!(text, "{float}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let value: Value = serde_json::from_str(json).expect("test data is JSON");
        assert_eq!(dumps(&value), expected);
    }

    #[test]
    fn spacing_and_order_are_pythons() {
        check(r#"{"b":1,"a":[true,null,"x"],"c":{}}"#, r#"{"b": 1, "a": [true, null, "x"], "c": {}}"#);
    }

    #[test]
    fn indented_lines_are_pythons() {
        let value: Value = serde_json::from_str(r#"{"b":[1,{"c":[]}],"d":{}}"#).expect("test data is JSON");
        let expected = "{\n  \"b\": [\n    1,\n    {\n      \"c\": []\n    }\n  ],\n  \"d\": {}\n}";
        assert_eq!(dumps_as(&value, &Layout::new(Some(2))), expected);
    }

    #[test]
    fn characters_stay_as_they_are_except_what_must_be_escaped() {
        check(
            r#""\u00e4\u20ac\u0001\u001f\n\t\r\b\f\"\\\/\u007f""#,
            "\"ä€\\u0001\\u001f\\n\\t\\r\\b\\f\\\"\\\\/\u{7f}\"",
        );
    }

    #[test]
    fn numbers_are_spelled_as_python_reads_and_writes_them() {
        for (json, python) in [
            ("1.0", "1.0"),
            ("1", "1"),
            ("-0.0", "-0.0"),
            ("1.50", "1.5"),
            ("1e5", "100000.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.25e22", "1.25e+22"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("-1.5e-7", "-1.5e-07"),
            ("1e100", "1e+100"),
            ("12345678901234567890", "12345678901234567890"),
            ("0.1", "0.1"),
            ("1290.75", "1290.75"),
        ] {
            check(json, python);
        }
    }
}
