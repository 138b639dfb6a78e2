//! Tools, and whether the model may or must call them.

use std::collections::BTreeSet;

use inference::{ToolChoice, ToolDefinition};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::refusal::Refusal;

const MAX_TOOLS: usize = 128;
const MAX_NAME: usize = 64;
/// The most calls of one reply, unless `parallel_tool_calls` is false.
const MAX_CALLS: usize = 8;

/// A function that the model may call.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FunctionTool)]
pub(crate) struct Tool {
    #[serde(rename = "type")]
    _kind: FunctionKind,
    function: Function,
}

/// The only kind of tool.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FunctionKind {
    Function,
}

/// A function's name, purpose and arguments.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Function {
    /// Up to 64 letters, digits, `_` and `-`.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    name: String,
    /// For the model.
    description: Option<String>,
    /// JSON schema of the arguments, an object; none unless given.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
    /// Arguments are always held to the schema.
    #[serde(rename = "strict")]
    _strict: Option<bool>,
}

/// `auto`, `none`, `required`, or the function to call.
#[derive(Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected \"auto\", \"none\", \"required\" or {\"type\": \"function\", \"function\": {\"name\": …}}"
)]
#[schema(as = FunctionChoice)]
pub(crate) enum Choice {
    Mode(Mode),
    Named(NamedTool),
}

/// Whether functions are called.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FunctionMode)]
pub(crate) enum Mode {
    /// As the model likes.
    Auto,
    /// The model answers.
    None,
    /// The model calls.
    Required,
}

/// A function to call, once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NamedFunction)]
pub(crate) struct NamedTool {
    #[serde(rename = "type")]
    _kind: FunctionKind,
    function: Name,
}

/// A function's name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FunctionName)]
struct Name {
    name: String,
}

/// What of its tools the model may call now.
pub(crate) struct Calling {
    pub(crate) tools: Vec<ToolDefinition>,
    pub(crate) callable: Vec<ToolDefinition>,
    pub(crate) tool_choice: ToolChoice,
    pub(crate) max_calls: usize,
}

impl Calling {
    pub(crate) fn new(tools: Vec<Tool>, choice: Option<Choice>, parallel: bool) -> Result<Self, Refusal> {
        let tools = definitions(tools)?;
        let (callable, tool_choice, max_calls) = match choice {
            Option::None => (tools.clone(), ToolChoice::Auto, MAX_CALLS),
            Some(Choice::Mode(mode)) => (tools.clone(), mode.check(&tools)?, MAX_CALLS),
            Some(Choice::Named(NamedTool { function, .. })) => {
                let named: Vec<_> = tools.iter().filter(|tool| tool.name == function.name).cloned().collect();
                if named.is_empty() {
                    let message = format!("tool_choice names {:?}, which is not among the tools", function.name);
                    return Err(Refusal::invalid("tool_choice", "invalid_value", message));
                }
                (named, ToolChoice::Required, 1)
            }
        };
        Ok(Calling { tools, callable, tool_choice, max_calls: if parallel { max_calls } else { 1 } })
    }
}

impl Mode {
    fn check(self, tools: &[ToolDefinition]) -> Result<ToolChoice, Refusal> {
        match self {
            Mode::Auto => Ok(ToolChoice::Auto),
            Mode::None => Ok(ToolChoice::None),
            Mode::Required if tools.is_empty() => {
                let message = "tool_choice is required but there are no tools; give some, or leave it out";
                Err(Refusal::invalid("tool_choice", "invalid_value", message))
            }
            Mode::Required => Ok(ToolChoice::Required),
        }
    }
}

/// Tools as the model knows them, if their names can be told apart.
pub(crate) fn definitions(tools: Vec<Tool>) -> Result<Vec<ToolDefinition>, Refusal> {
    if tools.len() > MAX_TOOLS {
        let message = format!("there are {} tools but at most {MAX_TOOLS} are taken", tools.len());
        return Err(Refusal::invalid("tools", "invalid_value", message));
    }
    let mut names = BTreeSet::new();
    let definition = |(index, tool): (usize, Tool)| {
        let refuse = |field: &str, message: String| {
            Err(Refusal::invalid(format!("tools[{index}].function.{field}"), "invalid_value", message))
        };
        let Function { name, description, parameters, .. } = tool.function;
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_sign) {
            return refuse("name", format!("{name:?} must have 1 to {MAX_NAME} letters, digits, _ and -"));
        }
        if !names.insert(name.clone()) {
            return refuse("name", format!("two tools are named {name:?}; rename one"));
        }
        let parameters = parameters.unwrap_or_else(no_parameters);
        if !parameters.is_object() {
            return refuse("parameters", "parameters must be a JSON schema of an object".to_owned());
        }
        Ok(ToolDefinition { name, description: description.unwrap_or_default(), parameters })
    };
    tools.into_iter().enumerate().map(definition).collect()
}

fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}
