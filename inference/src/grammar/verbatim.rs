//! `format: verbatim`: a string that can only be a copy from the material, or null where the schema allows it.

use serde_json::{Value, json};

use super::at;
use super::culprit;
use super::material::{LINE_END, MAX_VERBATIM_WORDS, Material};
use crate::chat::dumps;

/// A string that is declared verbatim and is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?}{} does not stand so in the given text or in a tool's result; copy at most {MAX_VERBATIM_WORDS} whole \
     words of one line",
    at(.pointer)
)]
pub struct Invented {
    /// JSON pointer to it.
    pub pointer: String,
    /// The string.
    pub text: String,
}

/// The first string of `value` that `schema` declares verbatim and that is no copy. A decoder that enforces the schema
/// writes none; a model behind HTTP may.
pub fn invented(schema: &Value, value: &Value, material: &Material) -> Option<Invented> {
    match value {
        Value::String(text) if is_verbatim(schema) => {
            let free = material.is_empty() && !is_nullable(schema);
            (!free && !material.has(text)).then(|| Invented { pointer: String::new(), text: text.clone() })
        }
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            let found = invented(schema.get("properties")?.get(name)?, field, material)?;
            Some(Invented { pointer: format!("/{}{}", culprit::escape(name), found.pointer), ..found })
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let found = invented(schema.get("items")?, item, material)?;
            Some(Invented { pointer: format!("/{index}{}", found.pointer), ..found })
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

pub(super) fn is_verbatim(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some("verbatim")
}

/// Whether a schema declares a verbatim string where one can be enforced: itself, or by properties and items.
pub(super) fn is_within(schema: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    is_verbatim(schema)
        || properties.is_some_and(|properties| properties.values().any(is_within))
        || schema.get("items").is_some_and(is_within)
}

/// Whether the type is one of several, of which one is null.
pub(super) fn is_nullable(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_array).is_some_and(|types| types.iter().any(|name| name == "null"))
}

/// The terminal `VERBATIM`: a copy as a JSON string.
pub(super) fn terminals(material: &Material) -> String {
    let escaped: Vec<String> = material.parts().iter().map(|part| escape(part)).collect();
    let more = MAX_VERBATIM_WORDS - 1;
    format!(
        "VERBATIM: \"\\\"\" (RUN & WORDS) \"\\\"\"\n\
         RUN: %regex {}\n\
         WORDS: /[^ \\n]+( [^ \\n]+){{0,{more}}}/\n",
        json!({"substring_chunks": escaped})
    )
}

/// A part as it stands inside of a JSON string. The end of a line stays what no JSON string has.
fn escape(part: &str) -> String {
    if part == LINE_END {
        return part.to_owned();
    }
    let quoted = dumps(&json!(part));
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_string_is_found_where_it_stands() {
        let name = json!({"type": ["string", "null"], "format": "verbatim"});
        let list = json!({"type": "array", "items": name});
        let schema = json!({"properties": {"a/b": {"properties": {"name": name}}, "list": list, "free": {}}});
        let mut material = Material::default();
        material.add("Swift Ltd");
        let found = |value| invented(&schema, &value, &material).map(|found| (found.pointer, found.text));
        assert_eq!(found(json!({"a/b": {"name": "Swift"}, "list": ["Ltd", null], "free": "Swret", "more": 1})), None);
        assert_eq!(found(json!({"a/b": {"name": "Swret"}})), Some(("/a~1b/name".to_owned(), "Swret".to_owned())));
        assert_eq!(found(json!({"list": ["Ltd", "Inc"]})), Some(("/list/1".to_owned(), "Inc".to_owned())));
    }

    #[test]
    fn without_material_a_string_is_free_unless_it_can_be_null() {
        let found = |kind| invented(&json!({"type": kind, "format": "verbatim"}), &json!("any"), &Material::default());
        assert_eq!(found(json!("string")), None);
        assert!(found(json!(["string", "null"])).is_some());
    }
}
