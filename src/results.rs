//! What became of each file, and how it is written as CSV or JSON lines.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use core_api::TaskView;
use serde_json::{Map, Value, json};
use types::TaskState;

use crate::failure::Failure;
use crate::show;

/// One file and what became of it.
pub(crate) struct FileResult {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its task as last seen; `None` while there is none.
    pub(crate) task: Option<TaskView>,
    /// What kept the file from becoming a task, or its end from being seen.
    pub(crate) fault: Option<String>,
}

impl FileResult {
    pub(crate) fn new(path: PathBuf) -> Self {
        FileResult { path, task: None, fault: None }
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.state == TaskState::Succeeded)
    }

    /// The answer on one line, or why there is none.
    pub(crate) fn one_line(&self) -> String {
        match self.task.as_ref().and_then(|task| task.output.as_ref()) {
            Some(output) => show::one_line(output),
            None => format!("{}: {}", self.state(), self.error().unwrap_or_default()),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "file": self.path.display().to_string(),
            "task": self.task.as_ref().map(|task| task.id),
            "state": self.state(),
            "output": self.task.as_ref().and_then(|task| task.output.clone()),
            "error": self.error(),
        })
    }

    fn error(&self) -> Option<String> {
        let of_task = || self.task.as_ref().filter(|_| !self.succeeded()).and_then(|task| task.error.clone());
        self.fault.clone().or_else(of_task)
    }

    fn state(&self) -> &'static str {
        self.task.as_ref().map_or("not_submitted", |task| task.state.as_str())
    }

    /// The answer's fields; a text answer is the field `output`.
    fn fields(&self) -> Map<String, Value> {
        match self.task.as_ref().and_then(|task| task.output.clone()) {
            Some(Value::Object(fields)) => fields,
            Some(other) => Map::from_iter([("output".to_owned(), other)]),
            None => Map::new(),
        }
    }
}

/// Where results are written. Opened before the work, so that hours of it are not lost to a misspelt folder.
pub(crate) struct ResultsFile {
    path: PathBuf,
    format: Format,
    file: File,
}

/// The form of a results file, by its ending.
#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
}

impl ResultsFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let format = match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Format::Csv,
            Some("jsonl" | "ndjson") => Format::JsonLines,
            _ => return Err(Failure::usage(format!("--out {} must end in .csv or .jsonl", path.display()))),
        };
        // What it holds is replaced only when there are results.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| not_written(path, &error))?;
        Ok(ResultsFile { path: path.to_owned(), format, file })
    }

    /// Writes all results, a row each, in place of what the file held.
    pub(crate) fn write(mut self, results: &[FileResult]) -> Result<(), Failure> {
        self.replace(results).map_err(|error| not_written(&self.path, &error))
    }

    fn replace(&mut self, results: &[FileResult]) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        let mut out = BufWriter::new(&self.file);
        match self.format {
            Format::JsonLines => {
                for result in results {
                    writeln!(out, "{}", result.to_json())?;
                }
            }
            Format::Csv => write_csv(&mut out, results)?,
        }
        out.flush()
    }
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} cannot be written: {error}; name another file with --out", path.display()))
}

/// The columns are ours and the fields of all answers.
fn write_csv(out: &mut impl Write, results: &[FileResult]) -> io::Result<()> {
    let mut fields: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    for name in results.iter().flat_map(|result| result.fields().into_iter().map(|(name, _)| name)) {
        if known.insert(name.clone()) {
            fields.push(name);
        }
    }
    let mut csv = csv::Writer::from_writer(out);
    let ours = ["file", "task", "state", "error"];
    // An answer may have fields of the same names.
    let column =
        |field: &String| if ours.contains(&field.as_str()) { format!("output.{field}") } else { field.clone() };
    csv.write_record(ours.map(str::to_owned).into_iter().chain(fields.iter().map(column)))?;
    for result in results {
        let answer = result.fields();
        let mut row = vec![
            result.path.display().to_string(),
            result.task.as_ref().map_or(String::new(), |task| task.id.to_string()),
            result.state().to_owned(),
            result.error().unwrap_or_default(),
        ];
        row.extend(fields.iter().map(|field| answer.get(field).map_or(String::new(), cell)));
        csv.write_record(row)?;
    }
    csv.flush()
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

    const ID: &str = "01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55";

    fn result(path: &str, output: Value) -> FileResult {
        let mut task: TaskView = serde_json::from_value(json!({
            "id": ID, "team": "default", "agent": "a", "class": "batch",
            "state": "succeeded", "documents": [], "attempt": 1, "failures": 0, "losses": 0, "steps": 1,
            "prompt_tokens": 1, "completion_tokens": 1, "accepted_at": "2026-01-01T00:00:00Z", "cancel_requested": false
        }))
        .expect("a task");
        task.output = Some(output);
        FileResult { task: Some(task), ..FileResult::new(path.into()) }
    }

    #[test]
    fn a_csv_has_a_column_for_every_field_of_any_answer() {
        let results = [
            result("a.pdf", json!({"vendor": "Acme, \"Ltd\"", "total": 1.5})),
            result("b.pdf", json!({"vendor": null, "state": "x"})),
            FileResult { fault: Some("no such file".into()), ..FileResult::new("c.pdf".into()) },
        ];
        let mut out = Vec::new();
        write_csv(&mut out, &results).expect("written");
        let expected = format!(
            "file,task,state,error,vendor,total,output.state\na.pdf,{ID},succeeded,,\"Acme, \"\"Ltd\"\"\",1.5,\n\
             b.pdf,{ID},succeeded,,,,x\nc.pdf,,not_submitted,no such file,,,\n"
        );
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
