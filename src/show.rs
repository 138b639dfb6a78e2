//! How results look on a terminal, and as JSON.

use comfy_table::{ContentArrangement, Table, presets};
use core_api::{StepView, TaskView};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// One JSON document on standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::unavailable(format!("the result is not JSON: {error}")))?;
    println!("{text}");
    Ok(())
}

/// A table in the house's form, as wide as the terminal.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

/// A result on one line: text as it is, JSON compact.
pub(crate) fn one_line(output: &Value) -> String {
    match output {
        Value::String(text) => text.replace('\n', " ⏎ "),
        other => other.to_string(),
    }
}

/// A task for people.
pub(crate) fn task(task: &TaskView) {
    println!("task      {}", task.id);
    println!("agent     {}", task.agent);
    println!("state     {}{}", task.state, task.stop_reason.map_or(String::new(), |reason| format!(" ({reason})")));
    println!("attempts  {} ({} failed, {} lost)", task.attempt, task.failures, task.losses);
    println!("tokens    {} read, {} written, in {} steps", task.prompt_tokens, task.completion_tokens, task.steps);
    if let (Some(started), Some(finished)) = (task.started_at, task.finished_at) {
        println!("time      {:.2} s", finished.since(started).as_secs_f64());
    }
    if let Some(error) = &task.error {
        println!("error     {error}");
    }
    match &task.output {
        Some(Value::String(text)) => println!("\n{text}"),
        Some(output) => println!("\n{output:#}"),
        None => {}
    }
}

/// A step on one line.
pub(crate) fn step(step: &StepView) -> String {
    let what = match step.kind.as_str() {
        "tool" => format!("{} {}", text(&step.summary["tool"]), step.summary["arguments"]),
        _ if step.summary["tool_calls"].is_array() => {
            let calls = step.summary["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
            let names: Vec<&str> = calls.iter().map(|call| text(&call["tool"])).collect();
            format!("asks for {}", names.join(", "))
        }
        _ => one_line(&step.summary["answer"]),
    };
    let error = match &step.summary["error"] {
        Value::String(error) => format!("  failed: {error}"),
        _ => String::new(),
    };
    format!("{:>3}  {:<5}  {:>6} ms  {what}{error}", step.ordinal, step.kind, step.duration_ms)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
