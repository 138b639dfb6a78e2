//! What became of each file or line, and how it is written as CSV or JSON lines.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use core_api::TaskView;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use types::{TaskId, TaskState};

use crate::failure::Failure;
use crate::show;

/// Where a file stands that is no task.
const NOT_SUBMITTED: &str = "not_submitted";

/// One file or line and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) file: String,
    /// Its task, if it has become one.
    pub(crate) task: Option<TaskId>,
    /// The task's state as last seen.
    pub(crate) state: String,
    /// The answer.
    pub(crate) output: Option<Value>,
    /// Why there is none.
    pub(crate) error: Option<String>,
}

impl Row {
    /// Not submitted, for this reason if there is one.
    pub(crate) fn of_fault(file: String, fault: Option<String>) -> Self {
        Row { file, task: None, state: NOT_SUBMITTED.to_owned(), output: None, error: fault }
    }

    /// Accepted; more is not known yet.
    pub(crate) fn accepted(file: String, task: TaskId) -> Self {
        Row { file, task: Some(task), state: TaskState::Queued.to_string(), output: None, error: None }
    }

    /// As the task stands.
    pub(crate) fn of_task(file: String, task: TaskView) -> Self {
        let succeeded = task.state == TaskState::Succeeded;
        let error = if succeeded { None } else { task.error };
        Row { file, task: Some(task.id), state: task.state.to_string(), output: task.output, error }
    }

    /// Whether the task has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.parse::<TaskState>().is_ok_and(TaskState::is_terminal)
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.state == TaskState::Succeeded.as_str()
    }

    /// The answer on one line, or why there is none.
    pub(crate) fn one_line(&self) -> String {
        match &self.output {
            Some(output) => show::one_line(output),
            None => format!("{}: {}", self.state, self.error.as_deref().unwrap_or_default()),
        }
    }

    /// The answer's fields; a text answer is the field `output`.
    fn fields(&self) -> Map<String, Value> {
        match self.output.clone() {
            Some(Value::Object(fields)) => fields,
            Some(other) => Map::from_iter([("output".to_owned(), other)]),
            None => Map::new(),
        }
    }
}

/// Rows in order, one after the other, as often as they are needed: there may be more than memory holds.
pub(crate) trait Rows {
    /// From the first on.
    fn all(&self) -> impl Iterator<Item = io::Result<Row>>;
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
    pub(crate) fn write(mut self, rows: &impl Rows) -> Result<(), Failure> {
        self.replace(rows).map_err(|error| not_written(&self.path, &error))
    }

    fn replace(&mut self, rows: &impl Rows) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        let mut out = BufWriter::new(&self.file);
        match self.format {
            Format::JsonLines => {
                for row in rows.all() {
                    serde_json::to_writer(&mut out, &row?)?;
                    out.write_all(b"\n")?;
                }
            }
            Format::Csv => write_csv(&mut out, rows)?,
        }
        out.flush()
    }
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} cannot be written: {error}; name another file with --out", path.display()))
}

/// The columns are ours and the fields of all answers.
fn write_csv(out: &mut impl Write, rows: &impl Rows) -> io::Result<()> {
    let mut fields: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    for row in rows.all() {
        for (name, _) in row?.fields() {
            if known.insert(name.clone()) {
                fields.push(name);
            }
        }
    }
    let mut csv = csv::Writer::from_writer(out);
    let ours = ["file", "task", "state", "error"];
    // An answer may have fields of the same names.
    let column =
        |field: &String| if ours.contains(&field.as_str()) { format!("output.{field}") } else { field.clone() };
    csv.write_record(ours.map(str::to_owned).into_iter().chain(fields.iter().map(column)))?;
    for row in rows.all() {
        let row = row?;
        let answer = row.fields();
        let task = row.task.map_or(String::new(), |task| task.to_string());
        let mut record = vec![row.file, task, row.state, row.error.unwrap_or_default()];
        record.extend(fields.iter().map(|field| answer.get(field).map_or(String::new(), cell)));
        csv.write_record(record)?;
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
    use serde_json::json;

    use super::*;

    const ID: &str = "01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55";

    impl Rows for Vec<Row> {
        fn all(&self) -> impl Iterator<Item = io::Result<Row>> {
            self.iter().cloned().map(Ok)
        }
    }

    fn row(file: &str, output: Value) -> Row {
        let task = Row::accepted(file.to_owned(), ID.parse().expect("an id"));
        Row { state: "succeeded".to_owned(), output: Some(output), ..task }
    }

    #[test]
    fn a_csv_has_a_column_for_every_field_of_any_answer() {
        let rows = vec![
            row("a.pdf", json!({"vendor": "Acme, \"Ltd\"", "total": 1.5})),
            row("b.pdf", json!({"vendor": null, "state": "x"})),
            Row::of_fault("c.pdf".to_owned(), Some("no such file".to_owned())),
        ];
        let mut out = Vec::new();
        write_csv(&mut out, &rows).expect("written");
        let expected = format!(
            "file,task,state,error,vendor,total,output.state\na.pdf,{ID},succeeded,,\"Acme, \"\"Ltd\"\"\",1.5,\n\
             b.pdf,{ID},succeeded,,,,x\nc.pdf,,not_submitted,no such file,,,\n"
        );
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
