//! A message's content: a text, or texts in a list.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::refusal::Refusal;

/// A text, or parts of type text, each on a line of its own.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of {\"type\": \"text\", \"text\": …}")]
pub(crate) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// One part; only those of type `text` are taken.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Part {
    #[serde(rename = "type")]
    #[schema(example = "text")]
    kind: String,
    text: Option<String>,
    /// Read so that it can be refused by name.
    #[serde(flatten)]
    #[schema(ignore)]
    other: Map<String, Value>,
}

impl Content {
    /// The text; `at` is the content's place.
    pub(crate) fn into_text(self, at: &str) -> Result<String, Refusal> {
        match self {
            Content::Text(text) => Ok(text),
            Content::Parts(parts) => {
                let texts: Result<Vec<String>, _> = parts
                    .into_iter()
                    .enumerate()
                    .map(|(index, part)| part.into_text(&format!("{at}[{index}]")))
                    .collect();
                Ok(texts?.join("\n"))
            }
        }
    }
}

impl Part {
    fn into_text(self, at: &str) -> Result<String, Refusal> {
        if self.kind != "text" {
            let message = format!("a part of type {:?} is not supported; send parts of type text", self.kind);
            return Err(Refusal::invalid(format!("{at}.type"), "unsupported_value", message));
        }
        if let Some((name, _)) = self.other.iter().find(|(_, value)| !value.is_null()) {
            let message = format!("`{name}` is not supported in a part of type text; leave it out");
            return Err(Refusal::invalid(format!("{at}.{name}"), "unknown_parameter", message));
        }
        let missing =
            || Refusal::invalid(format!("{at}.text"), "missing_parameter", "a part of type text needs a text");
        self.text.ok_or_else(missing)
    }
}
