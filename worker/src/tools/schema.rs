//! What the model is offered and held to. Pure.

use serde_json::{Map, Value, json};
use types::DocumentId;

use super::bound::BoundTool;

/// The tools that can be called at all: without documents, not the ones that require one.
pub(crate) fn offered<'a>(tools: &'a [BoundTool], documents: &[DocumentId]) -> Vec<&'a BoundTool> {
    tools.iter().filter(|tool| !documents.is_empty() || !requires_document(&tool.spec.parameters)).collect()
}

/// The tool's `parameters` for the grammar: each `format: document-id` becomes an `enum` of the task's documents, and
/// is left out (with what is made of it) when there are none. The prompt shows the original `parameters`.
pub(crate) fn arguments_schema(parameters: &Value, documents: &[DocumentId]) -> Value {
    narrowed(parameters, documents).unwrap_or_else(|| json!({"type": "object", "properties": {}}))
}

/// Whether a schema stands for a document.
pub(super) fn is_document(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some("document-id")
}

fn requires_document(schema: &Value) -> bool {
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|given| given == name))
    };
    is_document(schema)
        || schema.get("properties").and_then(Value::as_object).is_some_and(|properties| {
            properties.iter().any(|(name, property)| required(name) && requires_document(property))
        })
}

/// `None`: the schema is of a document and there is none.
fn narrowed(schema: &Value, documents: &[DocumentId]) -> Option<Value> {
    if is_document(schema) {
        return (!documents.is_empty()).then(|| json!({"type": "string", "enum": documents}));
    }
    let Value::Object(schema) = schema else { return Some(schema.clone()) };
    let mut result = Map::new();
    for (key, value) in schema {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => Value::Object(
                properties
                    .iter()
                    .filter_map(|(name, property)| Some((name.clone(), narrowed(property, documents)?)))
                    .collect(),
            ),
            ("items", items) => narrowed(items, documents)?,
            _ => value.clone(),
        };
        result.insert(key.clone(), value);
    }
    Some(Value::Object(result))
}

#[cfg(test)]
mod tests {
    use super::super::tests::tool;
    use super::*;

    fn ids() -> Vec<DocumentId> {
        vec!["doc_000000000001".parse().unwrap(), "doc_000000000002".parse().unwrap()]
    }

    fn with_document(required: bool) -> Value {
        let required: &[&str] = if required { &["document"] } else { &[] };
        json!({
            "type": "object",
            "properties": {"document": {"type": "string", "format": "document-id"}, "column": {"type": "string"}},
            "required": required,
        })
    }

    #[test]
    fn the_grammar_allows_only_the_documents_of_the_task() {
        let schema = arguments_schema(&with_document(true), &ids());
        let expected = json!({"type": "string", "enum": ["doc_000000000001", "doc_000000000002"]});
        assert_eq!(schema["properties"]["document"], expected);
        assert_eq!(schema["properties"]["column"], json!({"type": "string"}));
        assert_eq!(schema["required"], json!(["document"]));
    }

    #[test]
    fn documents_in_lists_and_in_nested_objects_are_narrowed_too() {
        let parameters = json!({"type": "object", "properties": {
            "all": {"type": "array", "items": {"type": "string", "format": "document-id"}},
            "inner": {"type": "object", "properties": {"one": {"type": "string", "format": "document-id"}}},
        }});
        let schema = arguments_schema(&parameters, &ids());
        let expected = json!({"type": "string", "enum": ids()});
        assert_eq!(schema["properties"]["all"]["items"], expected);
        assert_eq!(schema["properties"]["inner"]["properties"]["one"], expected);
    }

    #[test]
    fn without_documents_an_optional_one_cannot_be_named() {
        let schema = arguments_schema(&with_document(false), &[]);
        assert_eq!(schema["properties"], json!({"column": {"type": "string"}}));
    }

    #[test]
    fn without_documents_a_tool_that_requires_one_is_not_offered() {
        let tools = [tool("http://127.0.0.1/", with_document(true)), tool("http://127.0.0.1/", with_document(false))];
        assert_eq!(offered(&tools, &[]), [&tools[1]]);
        assert_eq!(offered(&tools, &ids()).len(), 2);
    }
}
