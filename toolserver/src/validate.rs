//! Checks a record against a JSON schema. Follows no reference out of the schema.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Retrieve, Uri, ValidationError};
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;

/// A record with a hundred mistakes needs another look anyway.
const MAX_ERRORS: usize = 20;

/// What the check says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    valid: bool,
    errors: Vec<String>,
}

/// Checks `data`.
pub(crate) fn validate(data: &Value, schema: &Value) -> Result<Verdict, Problem> {
    let validator = jsonschema::options()
        .with_retriever(Nowhere)
        .build(schema)
        .map_err(|error| Problem::bad_request("bad_schema", format!("schema is not usable: {}", error.masked())))?;
    let errors: Vec<String> = validator.iter_errors(data).flat_map(|error| lines(&error)).take(MAX_ERRORS).collect();
    Ok(Verdict { valid: errors.is_empty(), errors })
}

/// References to elsewhere are refused: a schema must not make the server call anyone.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} lies outside the schema and is not fetched").into())
    }
}

/// One line a mistake: the place and what is wrong, without the values, which the caller knows.
fn lines(error: &ValidationError<'_>) -> Vec<String> {
    let place = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
    let at = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    let each = |names: &[String], what: &str| names.iter().map(|name| format!("{}: {what}", at(name))).collect();
    let what = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().map_or_else(|| property.to_string(), str::to_owned);
            return vec![format!("{}: missing", at(&name))];
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => return each(unexpected, "not allowed"),
        ValidationErrorKind::Pattern { .. } => "does not match the pattern".to_owned(),
        ValidationErrorKind::Format { format } => format!("not a {format}"),
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => format!("not of type {kind}"),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
            format!("not of type {}", kinds.join(" or "))
        }
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => "not an allowed value".to_owned(),
        ValidationErrorKind::MinLength { .. } => "too short".to_owned(),
        ValidationErrorKind::MaxLength { .. } => "too long".to_owned(),
        ValidationErrorKind::Minimum { limit } => format!("less than {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("not more than {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("not less than {limit}"),
        ValidationErrorKind::MinItems { limit } => format!("fewer than {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("more than {limit} items"),
        ValidationErrorKind::UniqueItems => "items are repeated".to_owned(),
        // Rare in records; the library's words without the values serve.
        _ => error.masked().to_string(),
    };
    let place = if place.is_empty() { "record" } else { &place };
    vec![format!("{place}: {what}")]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(data: Value, expected: &[&str]) {
        let schema = json!({
            "type": "object",
            "properties": {
                "vendor": {"type": ["string", "null"], "minLength": 1},
                "date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
                "kind": {"enum": ["a", "b"]},
                "items": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}},
            },
            "required": ["vendor"],
            "additionalProperties": false,
        });
        let verdict = validate(&data, &schema).unwrap();
        assert_eq!(verdict.errors, expected);
        assert_eq!(verdict.valid, expected.is_empty());
    }

    #[test]
    fn a_good_record_has_no_errors() {
        check(json!({"vendor": null, "date": "2026-01-31"}), &[]);
    }

    #[test]
    fn each_mistake_is_one_short_line_with_its_place() {
        check(json!({}), &["vendor: missing"]);
        check(json!({"vendor": ""}), &["vendor: too short"]);
        check(json!({"vendor": 5}), &["vendor: not of type null or string"]);
        check(json!({"vendor": "x", "date": "31.1.26"}), &["date: does not match the pattern"]);
        check(json!({"vendor": "x", "kind": "c"}), &["kind: not an allowed value"]);
        check(json!({"vendor": "x", "extra": 1, "more": 2}), &["extra: not allowed", "more: not allowed"]);
        check(json!({"vendor": "x", "items": [{}, {"price": -1}]}), &["items.1.price: less than 0"]);
        check(json!([]), &["record: not of type object"]);
    }

    #[test]
    fn references_out_of_the_schema_are_refused() {
        for place in ["http://127.0.0.1:1/schema.json", "https://example.com/s", "file:///etc/passwd"] {
            assert!(validate(&json!(1), &json!({"$ref": place})).is_err(), "{place}");
        }
        let inside = json!({"$ref": "#/$defs/one", "$defs": {"one": {"type": "integer"}}});
        assert!(validate(&json!(1), &inside).unwrap().valid);
    }

    #[test]
    fn a_schema_that_is_none_is_the_callers_fault() {
        assert!(validate(&json!(1), &json!({"type": "nonsense"})).is_err());
        assert!(validate(&json!(1), &json!({"pattern": "("})).is_err());
    }
}
