//! The text of a reply's grammar, in llguidance's dialect of Lark.

use std::fmt::Write;

use llguidance::regex_to_lark;
use serde_json::{Value, json};

use super::material::Material;
use super::{AnswerForm, Lead, ReplyForm, extract, schema, spelling, verbatim};
use crate::chat::{ToolDefinition, dumps};
use crate::tokenizer::TokenId;

/// `[TOOL_CALLS] [{"name": …, "arguments": …, "id": …}, …]`, or the answer. The less is left open, the more is forced: what
/// has a form begins with the tokenizer's space, if it has one, and the ids of calls, which nobody reads, are all the same.
pub(super) fn reply(tool_calls: Option<TokenId>, form: &ReplyForm<'_>) -> String {
    let tool_calls = tool_calls.filter(|_| form.may_call());
    let mut text = String::from(match (tool_calls.is_some(), form.must_call()) {
        (true, true) => "start: calls\n",
        (true, false) => "start: calls | answer\n",
        (false, _) => "start: answer\n",
    });
    if let Some(tool_calls) = tool_calls {
        calls(tool_calls, form, &mut text);
    }
    answer(form, &mut text);
    if !form.material.is_empty() && form.has_verbatim() {
        text.push_str(&verbatim::terminals(form.material));
    }
    text
}

/// More is as good as any number to llguidance.
const MAX_REPEATS: usize = i32::MAX as usize;

fn calls(tool_calls: TokenId, form: &ReplyForm<'_>, text: &mut String) {
    let (open, between, close) = (literal(spelling::OPEN), literal(spelling::BETWEEN), literal(spelling::CLOSE));
    let more = match form.max_calls - 1 {
        0 => String::new(),
        more => format!("({between} call){{0,{}}}", more.min(MAX_REPEATS)),
    };
    let _ = writeln!(text, "calls: <[{}]> {} {open} call {more} {close}", tool_calls.0, lead(form));
    let alternatives: Vec<String> = (0..form.tools.len()).map(|index| format!("call_{index}")).collect();
    let _ = writeln!(text, "call: {}", alternatives.join(" | "));
    for (index, tool) in form.tools.iter().enumerate() {
        call(index, tool, form.material, text);
    }
}

fn lead(form: &ReplyForm<'_>) -> &'static str {
    match form.lead {
        Lead::Space => "\" \"",
        Lead::Nothing => "",
    }
}

fn call(index: usize, tool: &ToolDefinition, material: &Material, text: &mut String) {
    let head = [spelling::BEFORE_NAME, &dumps(&json!(tool.name)), spelling::BEFORE_ARGUMENTS].concat();
    let tail = [spelling::BEFORE_ID, spelling::ID, spelling::TAIL].concat();
    let name = format!("arguments_{index}");
    let _ = writeln!(text, "call_{index}: {} {name} {}", literal(&head), literal(&tail));
    text.push_str(&schema::rules(&name, &tool.parameters, material));
}

fn answer(form: &ReplyForm<'_>, text: &mut String) {
    let lead = lead(form);
    let extract = if *form.answer == AnswerForm::Extract { extract::rules(form.material) } else { None };
    let _ = match (form.answer, extract) {
        (AnswerForm::Json(schema), _) => {
            writeln!(text, "answer: {lead} json\n{}", schema::rules("json", schema, form.material))
        }
        (AnswerForm::Regex(pattern), _) => {
            writeln!(text, "answer: ANSWER\nANSWER: {lead} REGEX\nREGEX: {}", regex(pattern))
        }
        (_, Some(rules)) => writeln!(text, "answer: {lead} extract\n{rules}"),
        (AnswerForm::Text | AnswerForm::Extract, None) => writeln!(text, "answer: TEXT\nTEXT: /(?s:.*)/"),
    };
}

/// Nothing between the slashes would be a comment.
fn regex(pattern: &str) -> String {
    if pattern.is_empty() { "/(?:)/".to_owned() } else { format!("/{}/", regex_to_lark(pattern, "")) }
}

/// A grammar of one schema alone. Its verbatim strings have no material.
pub(super) fn of_schema(schema: &Value) -> String {
    schema::rules("start", schema, &Material::default())
}

/// A string of the grammar's own syntax: JSON's, without the one sign that it has to escape in addition.
pub(super) fn literal(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
