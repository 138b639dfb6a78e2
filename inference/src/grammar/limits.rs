//! Refuses what would cost too much to compile, before any of it is compiled. llguidance bounds what comes out; this
//! bounds what goes in.

use serde_json::{Number, Value};

use super::culprit::escape;
use super::sizes::Sizes;
use super::verbatim;

/// Of a schema as JSON: ten times what tools and answers have.
const MAX_SCHEMA_BYTES: usize = 128 << 10;
/// Of all schemas of a reply together.
const MAX_TOGETHER_BYTES: usize = 512 << 10;
/// Lists and objects in each other.
const MAX_DEPTH: usize = 64;
/// Regular expressions, and formats, which are regular expressions, in a schema.
const MAX_PATTERNS: usize = 256;
/// Regular expressions for names, which are compared with each other.
const MAX_NAME_PATTERNS: usize = 16;
/// Bytes of a regular expression.
const MAX_PATTERN_BYTES: usize = 8 << 10;
/// Of a division by `multipleOf`.
const MAX_REMAINDERS: usize = 20_000;
/// Bytes of definitions that are repeated, once for each reference beside verbatim strings.
const MAX_REPEATED_BYTES: usize = 4 << 20;

/// What is beyond a limit, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// JSON pointer.
    pub(super) pointer: String,
    pub(super) reason: String,
}

impl Excess {
    pub(super) fn new(reason: String) -> Self {
        Excess { pointer: String::new(), reason }
    }

    pub(super) fn within(mut self, step: &str) -> Self {
        self.pointer.insert_str(0, &format!("/{}", escape(step)));
        self
    }
}

/// Whether one schema is within the limits. Takes time in proportion to its size.
pub(super) fn check_schema(schema: &Value) -> Result<(), Excess> {
    check_depth(schema, 0)?;
    let num_bytes = num_bytes(schema);
    at_most(num_bytes, MAX_SCHEMA_BYTES, "bytes")?;
    let mut count = Count::default();
    count.add(schema)?;
    at_most(count.patterns, MAX_PATTERNS, "patterns and formats")?;
    at_most(count.name_patterns, MAX_NAME_PATTERNS, "patternProperties")?;
    if verbatim::is_within(schema) {
        let definitions = ["$defs", "definitions"].iter().filter_map(|key| schema.get(key)).map(self::num_bytes);
        let repeated = definitions.sum::<usize>().saturating_mul(count.references);
        at_most(repeated, MAX_REPEATED_BYTES, "bytes of definitions, one copy for each $ref beside verbatim strings")?;
    }
    Sizes::of(schema).check(schema)
}

/// Whether all schemas of a reply together are within the limits.
pub(super) fn check_together<'a>(schemas: impl Iterator<Item = &'a Value>) -> Result<(), Excess> {
    at_most(schemas.map(num_bytes).sum(), MAX_TOGETHER_BYTES, "bytes")
}

/// Whether a regular expression is within the limits, and stays what it is between other parts of a grammar.
pub(super) fn check_pattern(pattern: &str) -> Result<(), Excess> {
    let num_backslashes = pattern.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if num_backslashes % 2 == 1 {
        return Err(Excess::new("it ends in a backslash".to_owned()));
    }
    at_most(pattern.len(), MAX_PATTERN_BYTES, "bytes")
}

fn at_most(number: usize, limit: usize, what: &str) -> Result<(), Excess> {
    if number <= limit {
        Ok(())
    } else {
        Err(Excess::new(format!("it has {number} {what}, at most {limit} are taken")))
    }
}

/// Goes no deeper than the limit itself.
fn check_depth(value: &Value, depth: usize) -> Result<(), Excess> {
    if depth > MAX_DEPTH {
        return Err(Excess::new(format!("it is nested deeper than {MAX_DEPTH} lists and objects")));
    }
    in_parts(value, &mut |part| check_depth(part, depth + 1))
}

/// Visits what a list or an object holds; an excess in there gets its place.
pub(super) fn in_parts<'a>(
    value: &'a Value,
    visit: &mut dyn FnMut(&'a Value) -> Result<(), Excess>,
) -> Result<(), Excess> {
    match value {
        Value::Array(items) => {
            (0..).zip(items).try_for_each(|(index, item)| visit(item).map_err(|error| error.within(&index.to_string())))
        }
        Value::Object(entries) => {
            entries.iter().try_for_each(|(name, entry)| visit(entry).map_err(|error| error.within(name)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn num_bytes(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Values have string keys and the counter takes all: this cannot fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// The number times ten, as often as it has a fraction.
fn coefficient(number: &Number) -> f64 {
    let value = number.as_f64().unwrap_or(f64::MAX).abs();
    std::iter::successors(Some(value), |value| Some(value * 10.0)).find(|value| value.fract() == 0.0).unwrap_or(value)
}

#[derive(Default)]
struct Count {
    patterns: usize,
    name_patterns: usize,
    references: usize,
}

impl Count {
    fn add(&mut self, value: &Value) -> Result<(), Excess> {
        if let Some(pattern) = value.get("pattern").and_then(Value::as_str) {
            at_most(pattern.len(), MAX_PATTERN_BYTES, "bytes").map_err(|error| error.within("pattern"))?;
            self.patterns += 1;
        }
        self.patterns += usize::from(value.get("format").is_some() && !verbatim::is_verbatim(value));
        if let Some(Value::Number(step)) = value.get("multipleOf") {
            let remainders = coefficient(step).min(1e15) as usize;
            at_most(remainders, MAX_REMAINDERS, "remainders").map_err(|error| error.within("multipleOf"))?;
        }
        self.references += usize::from(value.get("$ref").is_some());
        let names = value.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
        for (name, _) in names {
            at_most(name.len(), MAX_PATTERN_BYTES, "bytes in a name")
                .map_err(|error| error.within("patternProperties"))?;
            self.name_patterns += 1;
        }
        in_parts(value, &mut |part| self.add(part))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An empty `expected` means within the limits.
    #[track_caller]
    fn check(schema: &Value, expected: &str) {
        let found = check_schema(schema).err();
        assert_eq!(found.map_or(String::new(), |excess| format!("{}: {}", excess.pointer, excess.reason)), expected);
    }

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!({"type": "null"}), |inner, _| json!({"items": inner}))
    }

    #[test]
    fn depth_and_size_are_bounded() {
        check(&nested(60), "");
        let items = "/items".repeat(65);
        check(&nested(70), &format!("{items}: it is nested deeper than 64 lists and objects"));
        check(&json!({"const": "x".repeat(131_060)}), "");
        check(&json!({"const": "x".repeat(131_070)}), ": it has 131082 bytes, at most 131072 are taken");
    }

    #[test]
    fn patterns_and_divisions_are_bounded() {
        let list = |number| json!({"prefixItems": vec![json!({"pattern": "^a$", "format": "date"}); number]});
        check(&list(128), "");
        check(&list(129), ": it has 258 patterns and formats, at most 256 are taken");
        let long = json!({"properties": {"a/b": {"pattern": "x".repeat(9000)}}});
        check(&long, "/properties/a~1b/pattern: it has 9000 bytes, at most 8192 are taken");
        for (step, refused) in [("0.25", false), ("20000", false), ("20001", true), ("2.0001", true), ("1e300", true)] {
            let schema = json!({"multipleOf": serde_json::from_str::<Value>(step).unwrap_or_default()});
            assert_eq!(check_schema(&schema).is_err(), refused, "{step}");
        }
        let names: serde_json::Map<_, _> = (0..17).map(|index| (format!("^{index}$"), json!({}))).collect();
        check(&json!({"patternProperties": names}), ": it has 17 patternProperties, at most 16 are taken");
    }

    #[test]
    fn definitions_beside_verbatim_strings_are_bounded_with_their_references() {
        let reference = json!({"$ref": "#/$defs/long"});
        let schema = |number: usize, verbatim: Value| {
            json!({
                "$defs": {"long": {"const": "x".repeat(50_000)}},
                "properties": {"a": verbatim, "list": {"prefixItems": vec![reference.clone(); number]}},
            })
        };
        let verbatim = || json!({"type": "string", "format": "verbatim"});
        check(&schema(80, verbatim()), "");
        check(&schema(90, json!({"type": "string"})), "");
        let expected =
            "bytes of definitions, one copy for each $ref beside verbatim strings, at most 4194304 are taken";
        let found = check_schema(&schema(90, verbatim())).err().map(|excess| excess.reason).unwrap_or_default();
        assert!(found.ends_with(expected), "{found}");
    }
}
