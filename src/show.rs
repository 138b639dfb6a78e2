//! How tasks, their events and tables look to people.

use std::fmt::Write;
use std::io::IsTerminal;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use core_api::{EventView, Explanation, TaskView};
use serde_json::Value;

/// Columns of a table that no terminal shows: a file, a pipe.
const WIDTH_ELSEWHERE: u16 = 140;

/// A table in the house's form, as wide as the terminal.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_width(WIDTH_ELSEWHERE);
    }
    table.set_header(header);
    // What a row is known by is copied and piped, so it stands on one line.
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
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
pub(crate) fn task(task: &TaskView) -> String {
    let reason = task.stop_reason.map_or(String::new(), |reason| format!(" ({reason})"));
    let mut text = format!(
        "task      {}\nagent     {}\nstate     {}{reason}\nattempts  {} ({} failed, {} lost)\n\
         tokens    {} read, {} written, in {} steps",
        task.id,
        task.agent,
        task.state,
        task.attempt,
        task.failures,
        task.losses,
        task.prompt_tokens,
        task.completion_tokens,
        task.steps
    );
    // Writing to a string does not fail.
    if let (Some(started), Some(finished)) = (task.started_at, task.finished_at) {
        let _ = write!(text, "\ntime      {:.2} s", finished.since(started).as_secs_f64());
    }
    if let Some(error) = &task.error {
        let _ = write!(text, "\nerror     {error}");
    }
    let _ = match &task.output {
        Some(Value::String(answer)) => write!(text, "\n\n{answer}"),
        Some(answer) => write!(text, "\n\n{answer:#}"),
        None => Ok(()),
    };
    text
}

/// Why a task waits, for people.
pub(crate) fn explanation(explanation: &Explanation) -> String {
    let mut text = format!("task      {}\nstate     {}", explanation.id, explanation.state);
    // Writing to a string does not fail.
    for reason in &explanation.reasons {
        let _ = write!(text, "\nreason    {} ({})", reason.detail, reason.code);
    }
    if let Some(place) = explanation.place {
        let (all, team) = (place.ahead_in_class, place.ahead_of_team);
        let _ = write!(text, "\nahead     {all} of its class, {team} of them of its team");
    }
    if let Some(seconds) = explanation.expected_wait_seconds {
        let _ = write!(text, "\nstarts    in about {seconds} s, should its line go on as in the last minute");
    }
    let _ = write!(text, "\nworkers   {} of {} are busy", explanation.busy_workers, explanation.live_workers);
    text
}

/// An event on one line; of a step, what it did.
pub(crate) fn event(event: &EventView) -> String {
    let data = &event.data;
    let what = match event.kind.as_str() {
        "step" => {
            let (ordinal, millis) = (data["ordinal"].to_string(), data["duration_ms"].to_string());
            format!("{ordinal:>3}  {:<5}  {millis:>6} ms  {}", text(&data["kind"]), step(&data["summary"]))
        }
        _ => one_line(data),
    };
    format!("{}  {:<11} {what}", event.at, event.kind)
}

fn step(summary: &Value) -> String {
    let mut what = match (&summary["tool"], &summary["tool_calls"]) {
        (Value::String(tool), _) => format!("{tool} {}", summary["arguments"]),
        (_, Value::Array(calls)) => {
            format!("asks for {}", calls.iter().map(|call| text(&call["tool"])).collect::<Vec<_>>().join(", "))
        }
        _ => one_line(&summary["answer"]),
    };
    if let Value::String(error) = &summary["error"] {
        let _ = write!(what, "  failed: {error}");
    }
    what
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
