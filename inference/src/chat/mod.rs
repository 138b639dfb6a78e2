//! Conversations, and how they become prompts: segments of text and control tokens, so that text from users, documents
//! and tools can never become a control token.

mod mistral_v3;
mod python_json;
mod render;
mod template;

use serde_json::{Map, Value};

pub(crate) use python_json::dumps;
pub use render::{RenderError, Renderer, UnusableFormat};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Instructions; they are rendered in front of the last user message, wherever they stand.
    System(String),
    /// What the user says.
    User(String),
    /// What the model answered.
    Assistant(String),
    /// What the model asked for instead of answering.
    ToolCalls(Vec<ToolCall>),
    /// What came of a call.
    ToolResult {
        /// The `id` of the call.
        call_id: String,
        /// The result as JSON; plain text is a JSON string.
        content: Value,
    },
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    /// The name the model writes.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON schema of the arguments: an object.
    pub parameters: Value,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Nine letters and digits.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, in the order in which they were written.
    pub arguments: Map<String, Value>,
}
