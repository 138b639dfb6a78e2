//! Where parts of a schema are multiplied with each other. Of alternatives beside other keywords, of `allOf` and of a
//! reference beside others, llguidance makes one schema for each combination, with copies of all that is in them, and it
//! compares the alternatives of `oneOf` pair by pair.

use std::collections::HashMap;

use serde_json::Value;

use super::limits::{Excess, in_parts};

/// Parts that a schema can come to where parts of it are combined.
const MAX_COMBINED: u64 = 50_000;
/// Pairs of alternatives of all `oneOf`.
const MAX_PAIRS: u64 = 1_000_000;

/// How large a schema becomes when it is combined with another one: its references are followed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    parts: u64,
    /// The most alternatives that another schema meets at one place; each gets a copy of it.
    alternatives: u64,
}

impl Size {
    const ONE: Size = Size { parts: 1, alternatives: 1 };

    /// Both hold at once: alternatives of one meet those of the other.
    fn combined(self, other: Size) -> Size {
        let copies = |size: Size, number: u64| size.parts.saturating_mul(number);
        Size {
            parts: copies(self, other.alternatives).saturating_add(copies(other, self.alternatives)),
            alternatives: self.alternatives.saturating_mul(other.alternatives),
        }
    }

    /// One beside the other.
    fn beside(self, other: Size) -> Size {
        let alternatives = self.alternatives.max(other.alternatives);
        Size { parts: self.parts.saturating_add(other.parts), alternatives }
    }

    /// One or the other.
    fn or(self, other: Size) -> Size {
        let alternatives = self.alternatives.saturating_add(other.alternatives);
        Size { parts: self.parts.saturating_add(other.parts), alternatives }
    }
}

/// The sizes of a schema's parts.
pub(super) struct Sizes<'a> {
    root: &'a Value,
    /// Sizes of what references lead to; `None` while that is being found, since it may lead back to itself.
    of_references: HashMap<&'a str, Option<Size>>,
    num_pairs: u64,
}

impl<'a> Sizes<'a> {
    pub(super) fn of(root: &'a Value) -> Self {
        Sizes { root, of_references: HashMap::new(), num_pairs: 0 }
    }

    /// Whether no part of the value comes to too much.
    pub(super) fn check(&mut self, value: &'a Value) -> Result<(), Excess> {
        let parts = self.parts(value);
        if parts.len() > 1 {
            let size = parts.into_iter().reduce(Size::combined).unwrap_or(Size::ONE);
            if size.parts > MAX_COMBINED {
                let reason = format!("its parts combine to more than {MAX_COMBINED}");
                return Err(Excess::new(reason));
            }
        }
        if let Some(options) = value.get("oneOf").and_then(Value::as_array) {
            let alternatives = self.any(options).alternatives;
            self.num_pairs = self.num_pairs.saturating_add(alternatives.saturating_mul(alternatives));
            if self.num_pairs > MAX_PAIRS {
                let reason = format!("up to here, alternatives of oneOf make more than {MAX_PAIRS} pairs");
                return Err(Excess::new(reason).within("oneOf"));
            }
        }
        in_parts(value, &mut |part| self.check(part))
    }

    /// What has to hold at once of a value that the schema takes.
    fn parts(&mut self, schema: &'a Value) -> Vec<Size> {
        let Some(entries) = schema.as_object() else { return Vec::new() };
        let (mut parts, mut own) = (Vec::new(), None);
        for (keyword, value) in entries {
            match (keyword.as_str(), value) {
                ("enum", Value::Array(values)) => {
                    parts.push(Size { parts: count(value), alternatives: values.len() as u64 });
                }
                ("anyOf" | "oneOf", Value::Array(options)) => parts.push(self.any(options)),
                ("allOf", Value::Array(members)) => parts.extend(members.iter().map(|member| self.size(member))),
                ("$ref", Value::String(reference)) => parts.push(self.referred(reference)),
                ("const", value) => parts.push(Size { parts: count(value), ..Size::ONE }),
                ("$defs" | "definitions" | "default" | "examples", _) => {}
                ("properties" | "patternProperties", Value::Object(named)) => {
                    let size = named.values().fold(Size::ONE, |size, schema| size.beside(self.size(schema)));
                    own = Some(own.unwrap_or(Size::ONE).beside(size));
                }
                (_, value) => own = Some(own.unwrap_or(Size::ONE).beside(self.size(value))),
            }
        }
        parts.extend(own);
        parts
    }

    /// Of a schema, or of a list or an object of schemas.
    fn size(&mut self, value: &'a Value) -> Size {
        match value {
            Value::Object(_) => self.parts(value).into_iter().reduce(Size::combined).unwrap_or(Size::ONE),
            Value::Array(items) => items.iter().fold(Size::ONE, |size, item| size.beside(self.size(item))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Size::ONE,
        }
    }

    fn any(&mut self, options: &'a [Value]) -> Size {
        options.iter().map(|option| self.size(option)).reduce(Size::or).unwrap_or(Size::ONE)
    }

    fn referred(&mut self, reference: &'a str) -> Size {
        if let Some(known) = self.of_references.get(reference) {
            return known.unwrap_or(Size::ONE);
        }
        self.of_references.insert(reference, None);
        // One that is no pointer may lead anywhere.
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)).unwrap_or(self.root);
        let size = self.size(target);
        self.of_references.insert(reference, Some(size));
        size
    }
}

/// Values in a value, itself included.
fn count(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<u64>(),
        Value::Object(entries) => 1 + entries.values().map(count).sum::<u64>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An empty `expected` means that it is not too much.
    #[track_caller]
    fn check(schema: &Value, expected: &str) {
        let found = Sizes::of(schema).check(schema).err();
        assert_eq!(found.map_or(String::new(), |excess| format!("{}: {}", excess.pointer, excess.reason)), expected);
    }

    fn objects(number: usize) -> Vec<Value> {
        (0..number).map(|index| json!({"type": "object", "required": [format!("name {index}")]})).collect()
    }

    #[test]
    fn alternatives_may_stand_alone_or_beside_little() {
        check(&json!({"anyOf": objects(2000)}), "");
        check(&json!({"type": "string", "enum": (0..5000).map(|n| n.to_string()).collect::<Vec<_>>()}), "");
        let union = json!({"anyOf": objects(20), "properties": {"a": {}, "b": {}}, "required": ["a"]});
        check(&union, "");
    }

    #[test]
    fn parts_that_would_multiply_are_refused_where_they_stand() {
        let refused = |pointer: &str| format!("{pointer}: its parts combine to more than 50000");
        let large: serde_json::Map<_, _> = (0..500).map(|index| (format!("{index}"), json!({}))).collect();
        let beside = json!({"anyOf": objects(500), "properties": large});
        check(&json!({"properties": {"x": {"items": beside}}}), &refused("/properties/x/items"));
        let all = json!({"allOf": [{"anyOf": objects(40)}, {"anyOf": objects(40)}, {"anyOf": objects(40)}]});
        check(&all, &refused(""));
        let deep = |name: &str| json!({"properties": {"a": {"anyOf": objects(300)}, name: {}}});
        check(&json!({"allOf": [deep("b"), deep("c")]}), &refused(""));
    }

    #[test]
    fn references_count_only_where_they_are_combined() {
        let doubling = |last: Value| {
            let mut definitions = serde_json::Map::new();
            for index in 0..20 {
                let next = json!({"$ref": format!("#/$defs/{}", index + 1)});
                definitions
                    .insert(index.to_string(), json!({"anyOf": [next.clone(), {"type": "array", "items": next}]}));
            }
            definitions.insert("20".to_owned(), last);
            definitions
        };
        let first = json!({"$ref": "#/$defs/0"});
        check(&json!({"$defs": doubling(json!({"type": "null"})), "properties": {"x": first}}), "");
        let combined = json!({"$defs": doubling(json!({"type": "null"})), "allOf": [first, first]});
        check(&combined, ": its parts combine to more than 50000");
        let tree =
            json!({"$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"});
        check(&tree, "");
    }

    #[test]
    fn alternatives_of_one_of_are_bounded_by_their_pairs() {
        check(&json!({"oneOf": objects(1000)}), "");
        let two = json!({"prefixItems": [{"oneOf": objects(800)}, {"oneOf": objects(800)}]});
        check(&two, "/prefixItems/1/oneOf: up to here, alternatives of oneOf make more than 1000000 pairs");
    }
}
