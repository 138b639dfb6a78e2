//! Parts of a request that hold JSON schemas: tools and the form of the answer.

use inference::{ToolChoice, ToolDefinition};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    #[serde(rename = "type")]
    _kind: FunctionKind,
    function: Function,
}

/// The only kind of tool.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FunctionKind {
    Function,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default = "no_parameters")]
    parameters: Value,
    /// Arguments are always held to the schema.
    #[serde(default, rename = "strict")]
    _strict: Option<bool>,
}

fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

impl From<Tool> for ToolDefinition {
    fn from(tool: Tool) -> Self {
        let Function { name, description, parameters, .. } = tool.function;
        ToolDefinition { name, description, parameters }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Choice {
    #[default]
    Auto,
    None,
    Required,
}

impl From<Choice> for ToolChoice {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Auto => ToolChoice::Auto,
            Choice::None => ToolChoice::None,
            Choice::Required => ToolChoice::Required,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResponseFormat {
    #[serde(rename = "type")]
    kind: FormatKind,
    #[serde(default)]
    json_schema: Option<NamedSchema>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FormatKind {
    Text,
    JsonSchema,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedSchema {
    #[serde(rename = "name")]
    _name: String,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    schema: Value,
    /// Answers are always held to the schema.
    #[serde(default, rename = "strict")]
    _strict: Option<bool>,
}

impl ResponseFormat {
    /// The schema that answers are held to.
    pub(crate) fn into_schema(self) -> Result<Option<Value>, Refusal> {
        match (self.kind, self.json_schema) {
            (FormatKind::Text, None) => Ok(None),
            (FormatKind::JsonSchema, Some(named)) => Ok(Some(named.schema)),
            (FormatKind::Text, Some(_)) => Err(Refusal::invalid(
                "response_format.json_schema",
                "invalid_value",
                "response_format has a json_schema but its type is text; set type to json_schema",
            )),
            (FormatKind::JsonSchema, None) => Err(Refusal::invalid(
                "response_format.json_schema",
                "missing_value",
                "response_format has type json_schema but no json_schema; give one",
            )),
        }
    }
}
