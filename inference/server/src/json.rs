//! JSON, read strictly. A key that stands twice is refused; serde_json alone would keep the last one and say nothing.

use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// A body's bytes as JSON.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    strict(bytes).map_err(|error| {
        let (place, reason) = (error.path().to_string(), error.inner());
        match reason.is_data() {
            true => Refusal::bad("duplicate_key", format!("{reason}; keep one of them")).about_place(&place),
            false => Refusal::unreadable(format!("the body is not valid JSON: {reason}; correct it there")),
        }
    })
}

/// JSON that stands in a text.
pub(crate) fn parse_text(text: &str) -> Result<Value, String> {
    strict(text.as_bytes()).map_err(|error| error.inner().to_string())
}

/// A value as a `T`, or which part of it does not fit.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (place, reason) = (error.path().to_string(), error.inner().to_string());
        if let Some(name) = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            let place = if place == "." { name.to_owned() } else { format!("{place}.{name}") };
            return Refusal::invalid(place, "missing_parameter", reason);
        }
        let code = if reason.starts_with("unknown field") { "unknown_parameter" } else { "invalid_value" };
        Refusal::bad(code, reason).about_place(&place)
    })
}

fn strict(bytes: &[u8]) -> Result<Value, serde_path_to_error::Error<serde_json::Error>> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let Strict(value) = serde_path_to_error::deserialize(&mut json)?;
    let at_whole = |error| serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error);
    json.end().map_err(at_whole)?;
    Ok(value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("{key:?} stands twice in its object")));
            }
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Value, &str>) {
        match (parse_text(text), expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected),
            (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{reason}"),
            (result, expected) => panic!("{result:?} in place of {expected:?}"),
        }
    }

    #[test]
    fn what_serde_json_reads_is_read_alike() {
        let texts = ["null", "[true, -1, 18446744073709551615, 1.5e3]", r#"{"b": "\u00e4\n", "a": {"a": []}}"#];
        for text in texts {
            check(text, Ok(serde_json::from_str(text).expect("valid")));
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        check(r#"{"a": 1, "a": 1}"#, Err("\"a\" stands twice"));
        check(r#"[{"x": [{"b": 1, "c": 2, "b": 3}]}]"#, Err("\"b\" stands twice"));
        check(r#"{"a": {"b": 1}, "b": 1}"#, Ok(serde_json::json!({"a": {"b": 1}, "b": 1})));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        check("", Err("EOF"));
        check("{} {}", Err("trailing"));
        check("1e999", Err("out of range"));
        check(&"[".repeat(100_000), Err("recursion limit"));
    }
}
