//! Writes results of many tasks as CSV or JSON lines.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use core_api::TaskView;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// One file and what became of it.
pub(crate) struct FileResult {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its task, or why there is none.
    pub(crate) task: Result<TaskView, String>,
}

impl FileResult {
    pub(crate) fn succeeded(&self) -> bool {
        self.task.as_ref().is_ok_and(|task| task.state == types::TaskState::Succeeded)
    }

    pub(crate) fn error(&self) -> Option<String> {
        match &self.task {
            Err(error) => Some(error.clone()),
            Ok(task) => task.error.clone().filter(|_| !self.succeeded()),
        }
    }

    fn state(&self) -> &'static str {
        self.task.as_ref().map_or("not_submitted", |task| task.state.as_str())
    }

    pub(crate) fn to_json(&self) -> Value {
        let task = self.task.as_ref().ok();
        json!({
            "file": self.path.display().to_string(),
            "task": task.map(|task| task.id),
            "state": self.state(),
            "output": task.and_then(|task| task.output.clone()),
            "error": self.error(),
        })
    }

    /// The answer's fields; a text answer is the field `output`.
    fn fields(&self) -> Map<String, Value> {
        match self.task.as_ref().ok().and_then(|task| task.output.clone()) {
            Some(Value::Object(fields)) => fields,
            Some(other) => Map::from_iter([("output".to_owned(), other)]),
            None => Map::new(),
        }
    }
}

/// The form of a results file, by its ending.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    Csv,
    JsonLines,
}

impl Format {
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Format::Csv),
            Some("jsonl" | "ndjson") => Ok(Format::JsonLines),
            _ => Err(Failure::usage(format!("--out {} must end in .csv or .jsonl", path.display()))),
        }
    }
}

/// Writes all results, a row each; the columns of a CSV are the fields of the answers.
pub(crate) fn write(path: &Path, format: Format, results: &[FileResult]) -> Result<(), Failure> {
    let failed = |error: String| Failure::usage(format!("{} cannot be written: {error}", path.display()));
    let file = File::create(path).map_err(|error| failed(error.to_string()))?;
    let mut out = BufWriter::new(file);
    match format {
        Format::JsonLines => {
            for result in results {
                writeln!(out, "{}", result.to_json()).map_err(|error| failed(error.to_string()))?;
            }
        }
        Format::Csv => write_csv(&mut out, results).map_err(|error| failed(error.to_string()))?,
    }
    out.flush().map_err(|error| failed(error.to_string()))
}

fn write_csv(out: &mut impl Write, results: &[FileResult]) -> csv::Result<()> {
    let mut columns: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    for name in results.iter().flat_map(|result| result.fields().into_iter().map(|(name, _)| name)) {
        if known.insert(name.clone()) {
            columns.push(name);
        }
    }
    let mut csv = csv::Writer::from_writer(out);
    let fixed = ["file", "state"].into_iter().map(str::to_owned);
    csv.write_record(fixed.chain(columns.iter().cloned()).chain(["error".to_owned()]))?;
    for result in results {
        let fields = result.fields();
        let mut row = vec![result.path.display().to_string(), result.state().to_owned()];
        row.extend(columns.iter().map(|column| fields.get(column).map_or(String::new(), cell)));
        row.push(result.error().unwrap_or_default());
        csv.write_record(row)?;
    }
    csv.flush()?;
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(path: &str, output: Option<Value>) -> FileResult {
        let mut task: TaskView = serde_json::from_value(json!({
            "id": "01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55", "team": "default", "agent": "a", "class": "batch",
            "state": "succeeded", "documents": [], "attempt": 1, "failures": 0, "losses": 0, "steps": 1,
            "prompt_tokens": 1, "completion_tokens": 1, "accepted_at": "2026-01-01T00:00:00Z", "cancel_requested": false
        }))
        .expect("a task");
        task.output = output;
        FileResult { path: path.into(), task: Ok(task) }
    }

    #[test]
    fn a_csv_has_a_column_for_every_field_of_any_answer() {
        let results = [
            result("a.pdf", Some(json!({"vendor": "Acme, \"Ltd\"", "total": 1.5}))),
            result("b.pdf", Some(json!({"vendor": null, "note": "x"}))),
            FileResult { path: "c.pdf".into(), task: Err("no such file".into()) },
        ];
        let mut out = Vec::new();
        write_csv(&mut out, &results).expect("written");
        let expected = "file,state,vendor,total,note,error\na.pdf,succeeded,\"Acme, \"\"Ltd\"\"\",1.5,,\n\
                        b.pdf,succeeded,,,x,\nc.pdf,not_submitted,,,,no such file\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
