//! What matches a JSON schema. llguidance's schemas have no string that is copied from a text, so the objects and
//! lists around such a string are written here.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::lark::literal;
use super::material::Material;
use super::verbatim::{is_nullable, is_verbatim, is_within};
use crate::chat::dumps;

const NOTES: [&str; 7] = ["$comment", "$defs", "$schema", "default", "definitions", "description", "title"];
const OF_STRINGS: [&str; 2] = ["format", "type"];
const OF_OBJECTS: [&str; 4] = ["additionalProperties", "properties", "required", "type"];
const OF_LISTS: [&str; 4] = ["items", "maxItems", "minItems", "type"];

/// The rule `name`, and those that it needs, named after it: what matches values of the schema. An object with verbatim
/// strings has its listed properties and no others.
pub(super) fn rules(name: &str, schema: &Value, material: &Material) -> String {
    let definitions: Map<String, Value> = ["$defs", "definitions"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), schema.get(key)?.clone())))
        .collect();
    let mut writer = Writer { name, definitions, material, text: String::new(), num_rules: 0 };
    let expression = writer.value(schema);
    format!("{name}: {expression}\n{}", writer.text)
}

struct Writer<'a> {
    name: &'a str,
    definitions: Map<String, Value>,
    material: &'a Material,
    text: String,
    num_rules: usize,
}

impl Writer<'_> {
    fn value(&mut self, schema: &Value) -> String {
        let only = |keywords: &[&str]| says_only(schema, keywords);
        if !is_within(schema) {
            self.json(schema)
        } else if is_verbatim(schema) && only(&OF_STRINGS) {
            self.string(is_nullable(schema))
        } else if only(&OF_OBJECTS) {
            let object = self.object(schema);
            or_null(schema, object)
        } else if only(&OF_LISTS) {
            let list = self.list(schema);
            or_null(schema, list)
        } else {
            // Refused, since it knows no such format.
            self.json(schema)
        }
    }

    /// What stands in several places is written once.
    fn rule(&mut self, expression: &str) -> String {
        let name = format!("{}_{}", self.name, self.num_rules);
        self.num_rules += 1;
        let _ = writeln!(self.text, "{name}: {expression}");
        name
    }

    fn string(&self, nullable: bool) -> String {
        match (self.material.is_empty(), nullable) {
            (false, false) => "VERBATIM".to_owned(),
            (false, true) => "(VERBATIM | \"null\")".to_owned(),
            (true, false) => self.json(&json!({"type": "string"})),
            (true, true) => "\"null\"".to_owned(),
        }
    }

    /// Properties in their order. From the last to the first: what may follow when something stands before it, and
    /// when nothing does.
    fn object(&mut self, schema: &Value) -> String {
        let required = |name: &str| {
            schema
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|names| names.iter().any(|given| given == name))
        };
        let (mut following, mut leading) = (String::from("\"\""), String::from("\"\""));
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten().rev() {
            let key = dumps(&json!(name));
            let value = self.value(property);
            let value = self.rule(&value);
            let first = format!("{} {value} {following}", literal(&format!("{key}: ")));
            let next = format!("{} {value}", literal(&format!(", {key}: ")));
            (following, leading) = match required(name) {
                true => (self.rule(&format!("{next} {following}")), self.rule(&first)),
                false => (self.rule(&format!("({next})? {following}")), self.rule(&format!("{first} | {leading}"))),
            };
        }
        format!("\"{{\" {leading} \"}}\"")
    }

    fn list(&mut self, schema: &Value) -> String {
        let number = |key: &str| schema.get(key).and_then(Value::as_u64);
        let item = self.value(schema.get("items").unwrap_or(&Value::Bool(true)));
        let item = self.rule(&item);
        let (least, most) = (number("minItems").unwrap_or(0), number("maxItems"));
        let more = match (least.saturating_sub(1), most.map(|most| most.saturating_sub(1))) {
            (_, Some(0)) => String::new(),
            (least, Some(most)) => format!("(\", \" {item}){{{least},{most}}}"),
            (least, None) => format!("(\", \" {item}){{{least},}}"),
        };
        let items = match (least, most) {
            (_, Some(0)) => String::new(),
            (0, _) => format!("({item} {more})?"),
            (_, _) => format!("{item} {more}"),
        };
        format!("\"[\" {items} \"]\"")
    }

    /// JSON spaced as the model was trained on, and no other whitespace, so that it cannot write spaces for ever.
    fn json(&self, schema: &Value) -> String {
        let mut entries = match schema {
            Value::Object(entries) => entries.clone(),
            other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
        };
        for (key, value) in &self.definitions {
            entries.entry(key).or_insert_with(|| value.clone());
        }
        let options = json!({
            "item_separator": ", ",
            "key_separator": ": ",
            "whitespace_flexible": false,
            "coerce_one_of": true,
        });
        entries.insert("x-guidance".to_owned(), options);
        format!("%json {}", Value::Object(entries))
    }
}

fn or_null(schema: &Value, expression: String) -> String {
    if is_nullable(schema) { format!("({expression} | \"null\")") } else { expression }
}

/// Whether a schema has no keywords but these and notes.
fn says_only(schema: &Value, keywords: &[&str]) -> bool {
    let known = |key: &String| keywords.contains(&key.as_str()) || NOTES.contains(&key.as_str());
    schema.as_object().is_some_and(|entries| entries.keys().all(known))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::verbatim::invented;
    use super::super::walk::{any_answer, material, model, takes};
    use super::super::{Grammar, ToolChoice};
    use super::*;
    use crate::model::Model;

    /// Signs of JSON, of regular expressions and of the grammar's own language; bytes without a token of their own.
    const TEXT: &str = "From: \"Müller & Söhne\" (a.k.a. [M|S]*), C:\\new\\table\n\
        Nr. 2019/733 {x} ^$ /a/ \\u0041 %json <[3]> Æon 漢字 🦀🦀 ＡＢ\u{1}\u{7f} a\u{301}b\n\
        the cat the cat the hat the cat \\ \" ' \n\
        one two three four five six seven eight nine ten eleven twelve thirteen";

    fn compile(model: &Model, schema: &Value, material: &Material) -> Grammar {
        model.grammars.compile(material, &[], ToolChoice::None, Some(schema)).unwrap()
    }

    fn value_of(answer: String) -> Value {
        serde_json::from_str(&answer).unwrap()
    }

    #[test]
    fn random_answers_have_the_form_and_copy_their_verbatim_strings() {
        let name = json!({"type": ["string", "null"], "format": "verbatim", "description": "as written"});
        let number = json!({"type": ["integer", "null"], "minimum": 0, "maximum": 99});
        let schema = json!({
            "type": "object",
            "properties": {
                "maybe": {"type": "string", "format": "verbatim"},
                "name": name,
                "size": number,
                "kind": {"$ref": "#/$defs/kind"},
                "also": name,
                "inner": {"type": ["object", "null"], "properties": {"name": name, "size": number}},
                "list": {"type": "array", "items": name, "minItems": 1, "maxItems": 3},
                "single": {"type": "array", "items": name, "maxItems": 1},
            },
            "required": ["name", "size", "kind", "list", "single"],
            "$defs": {"kind": {"enum": ["x", "y"]}},
        });
        let (model, material) = (model(), material(TEXT));
        let grammar = compile(&model, &schema, &material);
        let mut random = StdRng::seed_from_u64(7);
        let answers: Vec<Value> =
            (0..400).map(|_| value_of(any_answer(&model, grammar.clone(), &mut random))).collect();
        for answer in &answers {
            assert_eq!(invented(&schema, answer, &material), None, "{answer}");
            for name in ["name", "size", "kind", "list", "single"] {
                assert!(answer.get(name).is_some(), "{answer}");
            }
            assert!((1..=3).contains(&answer["list"].as_array().unwrap().len()), "{answer}");
            assert!(answer["single"].as_array().unwrap().len() <= 1, "{answer}");
        }
        let some = |what: &dyn Fn(&Value) -> bool| assert!(answers.iter().any(what));
        for name in ["maybe", "also", "inner"] {
            some(&|answer| answer.get(name).is_some());
            some(&|answer| answer.get(name).is_none());
        }
        some(&|answer| answer["name"].is_string() && answer["size"].is_u64() && answer["inner"]["name"].is_string());
    }

    #[test]
    fn the_grammar_takes_exactly_what_the_material_has() {
        let (model, material) = (model(), material(TEXT));
        let grammar = compile(&model, &json!({"type": "string", "format": "verbatim"}), &material);
        let starts: Vec<usize> = TEXT.char_indices().map(|(index, _)| index).collect();
        let ends = starts.iter().copied().skip(1).chain([TEXT.len()]);
        let mut num_copies = 0;
        for (length, end) in ends.enumerate() {
            for start in starts[..=length].iter().rev().take(60) {
                let text = &TEXT[*start..end];
                assert_eq!(takes(&model, grammar.clone(), &dumps(&json!(text))), material.has(text), "{text:?}");
                num_copies += usize::from(material.has(text));
            }
        }
        assert!(num_copies > 300, "{num_copies}");
        for text in ["Swret", "", "MüllerSöhne", "the dog"] {
            assert!(!takes(&model, grammar.clone(), &dumps(&json!(text))), "{text:?}");
        }
        for other in ["\"\\u0063at\"", "null", "\"cat", "cat"] {
            assert!(!takes(&model, grammar.clone(), other), "{other}");
        }
    }

    #[test]
    fn without_material_a_string_is_null_if_it_may_be_and_any_otherwise() {
        let model = model();
        let check = |kind: Value, any: bool| {
            let schema = json!({"type": kind, "format": "verbatim"});
            let grammar = compile(&model, &schema, &Material::default());
            assert_eq!(takes(&model, grammar.clone(), "\"any\""), any);
            assert_eq!(takes(&model, grammar, "null"), !any);
        };
        check(json!("string"), true);
        check(json!(["string", "null"]), false);
    }

    #[test]
    fn an_object_with_verbatim_strings_has_its_properties_and_no_others() {
        let (model, material) = (model(), material(TEXT));
        let name = json!({"type": "string", "format": "verbatim"});
        let schema = json!({"type": "object", "properties": {"a": name, "b": name}, "required": ["b"]});
        let grammar = compile(&model, &schema, &material);
        for (text, expected) in [
            (r#"{"b": "cat"}"#, true),
            (r#"{"a": "the", "b": "cat"}"#, true),
            (r#"{"a": "the"}"#, false),
            (r#"{"b": "cat", "a": "the"}"#, false),
            (r#"{"b": "cat", "c": 1}"#, false),
            (r#"{"b":"cat"}"#, false),
            (r#"{, "b": "cat"}"#, false),
        ] {
            assert_eq!(takes(&model, grammar.clone(), text), expected, "{text}");
        }
    }

    #[test]
    fn a_verbatim_string_where_none_can_be_enforced_is_refused_by_its_place() {
        let name = json!({"type": "string", "format": "verbatim"});
        let refused = |schema: Value| {
            let model = model();
            let result = model.grammars.compile(&material(TEXT), &[], ToolChoice::None, Some(&schema));
            result.map(drop).unwrap_err().to_string()
        };
        for (schema, place) in [
            (json!({"properties": {"a": {"anyOf": [name, {"type": "null"}]}}}), " at /properties/a"),
            (json!({"properties": {"a": name}, "minProperties": 1}), ""),
            (json!({"items": {"type": "string", "format": "verbatim", "maxLength": 5}}), " at /items"),
        ] {
            let refused = refused(schema);
            assert!(refused.starts_with(&format!("answer schema cannot be enforced{place}: ")), "{refused}");
            assert!(refused.contains("Unknown format: verbatim"), "{refused}");
        }
    }
}
