//! `response_format`: what an answer has to look like, enforced while it is written.

use inference::AnswerForm;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The form of an answer.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ResponseFormat {
    /// Any text.
    Text {},
    /// Any JSON object.
    JsonObject {},
    /// JSON of a schema.
    JsonSchema { json_schema: NamedSchema },
    /// A text that the expression matches from its beginning to its end; an extension in place of vLLM's
    /// `guided_regex`.
    Regex { regex: String },
}

/// A schema; its name and description are not shown to the model.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedSchema {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
    /// A JSON schema.
    #[schema(value_type = Object)]
    schema: Value,
    /// Answers are always held to the schema.
    #[serde(rename = "strict")]
    _strict: Option<bool>,
}

impl From<ResponseFormat> for AnswerForm {
    fn from(format: ResponseFormat) -> Self {
        match format {
            ResponseFormat::Text {} => AnswerForm::Text,
            ResponseFormat::JsonObject {} => AnswerForm::Json(json!({ "type": "object" })),
            ResponseFormat::JsonSchema { json_schema } => AnswerForm::Json(json_schema.schema),
            ResponseFormat::Regex { regex } => AnswerForm::Regex(regex),
        }
    }
}
