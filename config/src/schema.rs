//! The JSON Schemas that editors use, made from the declarations that the reader follows.

use serde_json::{Value, json};

use crate::shape::Shape;
use crate::{agent, talon};

/// The schema of an agent's file; published as `config/schema/agent.schema.json`.
pub fn agent_schema() -> Value {
    titled("An agent of Talon", &agent::file_shape())
}

/// The schema of `talon.yml`; published as `config/schema/talon.schema.json`.
pub fn talon_schema() -> Value {
    titled("talon.yml", &talon::file_shape())
}

fn titled(title: &str, shape: &impl Shape) -> Value {
    let mut schema = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title});
    if let (Value::Object(schema), Value::Object(shape)) = (&mut schema, shape.schema()) {
        schema.extend(shape);
    }
    schema
}
