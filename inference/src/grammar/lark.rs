//! The text of a reply's grammar, in llguidance's dialect of Lark.

use std::fmt::Write;

use serde_json::{Value, json};

use super::extract;
use super::material::Material;
use super::schema::expression;
use super::{AnswerForm, ToolChoice};
use crate::chat::{ToolDefinition, dumps};
use crate::tokenizer::TokenId;

/// `[TOOL_CALLS] [{"name": …, "arguments": …, "id": …}]` with one call, or the answer. The space in front is the
/// tokenizer's, and optional.
pub(super) fn reply(
    tool_calls: TokenId,
    tools: &[ToolDefinition],
    choice: ToolChoice,
    answer: &AnswerForm,
    material: &Material,
) -> String {
    let calls = !tools.is_empty() && choice != ToolChoice::None;
    let mut text = String::from(match (calls, choice) {
        (true, ToolChoice::Required) => "start: calls\n",
        (true, ToolChoice::Auto | ToolChoice::None) => "start: calls | answer\n",
        (false, _) => "start: answer\n",
    });
    if calls {
        let alternatives: Vec<String> = (0..tools.len()).map(|index| format!("call_{index}")).collect();
        let _ = writeln!(text, "calls: <[{}]> \" \"? \"[\" ({}) \"]\"", tool_calls.0, alternatives.join(" | "));
        for (index, tool) in tools.iter().enumerate() {
            let head = literal(&format!("{{\"name\": {}, \"arguments\": ", dumps(&json!(tool.name))));
            let middle = literal(", \"id\": \"");
            let _ = writeln!(text, "call_{index}: {head} arguments_{index} {middle} ID {}", literal("\"}"));
            let _ = writeln!(text, "arguments_{index}: {}", expression(&tool.parameters, material));
        }
        text.push_str("ID: /[a-zA-Z0-9]{9}/\n");
    }
    let extract = if *answer == AnswerForm::Extract { extract::rules(material) } else { None };
    match (answer, extract) {
        (AnswerForm::Json(schema), _) => {
            let _ = writeln!(text, "answer: \" \"? json\njson: {}", expression(schema, material));
        }
        (_, Some(rules)) => {
            let _ = writeln!(text, "answer: \" \"? extract\n{rules}");
        }
        (AnswerForm::Text | AnswerForm::Extract, None) => text.push_str("answer: TEXT\nTEXT: /(?s:.*)/\n"),
    }
    text
}

/// A grammar of one schema alone. Its verbatim strings have no material.
pub(super) fn schema(schema: &Value) -> String {
    format!("start: {}\n", expression(schema, &Material::default()))
}

/// A string of the grammar's own syntax: JSON's, without the one sign that it has to escape in addition.
pub(super) fn literal(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
