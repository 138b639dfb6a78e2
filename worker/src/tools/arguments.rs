//! The body of a call: the model's arguments with documents in place of their ids, under the fixed arguments.

use std::future::Future;
use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use types::DocumentId;

use super::documents::{Document, DocumentError, DocumentSource};
use super::schema::is_document;
use crate::blocking::blocking;

/// Why the body cannot be made.
#[derive(Debug)]
pub(super) enum BodyError {
    /// What stands where a document's id should.
    NotAnId { place: String, given: String },
    /// Not one of the task's documents.
    NotGranted(DocumentId),
    /// The document cannot be had.
    Document(DocumentError),
}

/// Makes the body.
pub(super) async fn body(
    parameters: &Value,
    fixed: &Map<String, Value>,
    arguments: &Map<String, Value>,
    documents: &dyn DocumentSource,
) -> Result<Value, BodyError> {
    let mut body = Value::Object(arguments.clone());
    fill(parameters, &mut body, String::new(), documents).await?;
    if let Value::Object(body) = &mut body {
        for (name, value) in fixed {
            body.insert(name.clone(), value.clone());
        }
    }
    Ok(body)
}

type Filling<'a> = Pin<Box<dyn Future<Output = Result<(), BodyError>> + Send + 'a>>;

/// Walks schema and value together, so that only declared places are filled and no text that looks like an id.
fn fill<'a>(schema: &'a Value, value: &'a mut Value, place: String, documents: &'a dyn DocumentSource) -> Filling<'a> {
    Box::pin(async move {
        if is_document(schema) {
            *value = document(value, place, documents).await?;
            return Ok(());
        }
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    if let Some(property) = schema.get("properties").and_then(|properties| properties.get(name)) {
                        fill(property, field, format!("{place}/{name}"), documents).await?;
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    for (index, item) in items.iter_mut().enumerate() {
                        fill(schema, item, format!("{place}/{index}"), documents).await?;
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(())
    })
}

async fn document(value: &Value, place: String, documents: &dyn DocumentSource) -> Result<Value, BodyError> {
    let id = value.as_str().and_then(|text| text.parse::<DocumentId>().ok());
    let Some(id) = id else { return Err(BodyError::NotAnId { place, given: value.to_string() }) };
    if !documents.granted().contains(&id) {
        return Err(BodyError::NotGranted(id));
    }
    let Document { id, name, media_type, bytes } = documents.load(&id).await.map_err(BodyError::Document)?;
    let content = blocking(move || STANDARD.encode(bytes)).await;
    Ok(json!({"id": id, "name": name, "media_type": media_type, "content_base64": content}))
}
