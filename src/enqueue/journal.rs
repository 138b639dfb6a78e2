//! What is known of a run: written down as it becomes known, so that the same command goes on where it was interrupted or
//! killed, and without any row in memory.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use types::{ProcessId, TaskId};

use crate::failure::Failure;
use crate::results::{Row, Rows};

/// A file or line and its content: changed ones are others.
pub(super) type Key = [u8; 16];

/// A line for the run, then one for each change of a row; the last of a key counts.
pub(super) struct Journal {
    run: String,
    file: File,
    /// None when nobody can come back to it.
    path: Option<PathBuf>,
    end: u64,
    known: HashMap<Key, Known>,
    /// Which rows the results have, in order.
    order: Vec<Option<Key>>,
    names: Vec<PathBuf>,
}

struct Known {
    task: Option<TaskId>,
    has_ended: bool,
    at: u64,
}

/// The first line.
#[derive(Serialize, Deserialize, PartialEq)]
struct Head {
    /// Part of every idempotency key.
    run: String,
    /// What the run asks of whom.
    asks: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    #[serde(flatten)]
    row: Row,
}

impl Journal {
    /// The journal at `path` if it is there, else a new one; without a path, one that ends with the command. `asks` tells
    /// runs apart that are not the same, `names` those files that are part of it from the start.
    pub(super) fn open(path: Option<&Path>, asks: &str, names: Vec<PathBuf>) -> Result<Self, Failure> {
        let opened = match path {
            None => tempfile::tempfile(),
            Some(path) => OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path),
        };
        let shown = path.map_or_else(|| "a temporary file".to_owned(), |path| path.display().to_string());
        let broken =
            |error: io::Error| Failure::usage(format!("{shown}, which keeps the run, cannot be used: {error}"));
        let file = opened.map_err(broken)?;
        if file.try_lock().is_err() {
            return Err(Failure::usage(format!("{shown} is in use: another `talon enqueue` does this run already")));
        }
        let order = vec![None; names.len()];
        let run = ProcessId::new().to_string();
        let mut journal =
            Journal { run, file, path: path.map(Path::to_owned), end: 0, known: HashMap::new(), order, names };
        match journal.read().map_err(broken)? {
            None => {
                let head = Head { run: journal.run.clone(), asks: asks.to_owned() };
                journal.append(&head).map_err(broken)?;
            }
            Some(head) if head.asks == asks => journal.run = head.run,
            Some(head) => {
                return Err(Failure::usage(format!(
                    "{shown} keeps another run ({}, not {asks}); finish that with its own command, or remove the file",
                    head.asks
                )));
            }
        }
        Ok(journal)
    }

    /// Reads what an earlier command knew, if there was one, up to a line that was cut short.
    fn read(&mut self) -> io::Result<Option<Head>> {
        let mut reader = BufReader::new(&self.file);
        let mut text = String::new();
        let mut next = |end: &mut u64| -> io::Result<Option<(u64, String)>> {
            text.clear();
            let length = reader.read_line(&mut text)?;
            let at = *end;
            *end += length as u64;
            Ok(text.ends_with('\n').then(|| (at, text.clone())))
        };
        let Some((_, head)) = next(&mut self.end)? else {
            self.end = 0;
            return Ok(None);
        };
        let head = serde_json::from_str(&head).map_err(|_| io::Error::other("it is no journal of a run"))?;
        let mut whole = self.end;
        while let Some((at, line)) = next(&mut self.end)? {
            let line: Line = serde_json::from_str(&line)?;
            let Some(key) = parse(&line.key) else { return Err(io::Error::other("a key in it is none")) };
            self.known.insert(key, Known { task: line.row.task, has_ended: line.row.has_ended(), at });
            whole = self.end;
        }
        self.end = whole;
        Ok(Some(head))
    }

    /// Where the run can be gone on with.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Rows that an earlier command has brought to their end.
    pub(super) fn num_ended(&self) -> usize {
        self.known.values().filter(|known| known.has_ended).count()
    }

    /// Rows that have become tasks.
    pub(super) fn num_tasks(&self) -> usize {
        self.known.values().filter(|known| known.task.is_some()).count()
    }

    /// The same for the same key in the same run, so that nothing is accepted twice.
    pub(super) fn idempotency_key(&self, key: Key) -> String {
        format!("enqueue-{}-{}", self.run, hex(key))
    }

    /// The row of the `n`th name is that of `key`.
    pub(super) fn place(&mut self, n: usize, key: Key) {
        self.order[n] = Some(key);
    }

    /// The next row of the results is that of `key`.
    pub(super) fn add(&mut self, key: Key) {
        self.order.push(Some(key));
    }

    pub(super) fn has_ended(&self, key: Key) -> bool {
        self.known.get(&key).is_some_and(|known| known.has_ended)
    }

    pub(super) fn task(&self, key: Key) -> Option<TaskId> {
        self.known.get(&key)?.task
    }

    /// Writes down where a row stands.
    pub(super) fn note(&mut self, key: Key, row: Row) -> Result<(), Failure> {
        let (task, has_ended, at) = (row.task, row.has_ended(), self.end);
        self.append(&Line { key: hex(key), row }).map_err(|error| {
            Failure::usage(format!("the run cannot be written down: {error}; make room and start the command again"))
        })?;
        self.known.insert(key, Known { task, has_ended, at });
        Ok(())
    }

    fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&text)?;
        self.end += text.len() as u64;
        Ok(())
    }

    /// Forgets the run if every row of it has ended: the same command is then a new one.
    pub(super) fn finish(self) {
        let is_whole = self.order.iter().all(|key| key.is_some_and(|key| self.has_ended(key)));
        if let Some(path) = &self.path
            && is_whole
        {
            // It stays, and the next command finds that all is done.
            let _ = std::fs::remove_file(path);
        }
    }

    fn row(&self, n: usize) -> io::Result<Row> {
        let known = self.order[n].and_then(|key| self.known.get(&key));
        let Some(known) = known else {
            let name = self.names.get(n).map_or_else(|| format!("line {}", n + 1), |path| path.display().to_string());
            return Ok(Row::of_fault(name, None));
        };
        let line = BufReader::new(At { file: &self.file, at: known.at }).lines().next();
        let line: Line = serde_json::from_str(&line.ok_or(io::ErrorKind::UnexpectedEof)??)?;
        Ok(line.row)
    }
}

impl Rows for Journal {
    fn all(&self) -> impl Iterator<Item = io::Result<Row>> {
        (0..self.order.len()).map(|n| self.row(n))
    }
}

/// Reads from a place on, without moving the file's own.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(into, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

fn hex(key: Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Option<Key> {
    u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32).map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ID: &str = "01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55";
    const KEY: Key = [7; 16];

    fn states(journal: &Journal) -> Vec<String> {
        journal.all().map(|row| row.unwrap().state).collect()
    }

    fn accepted() -> Row {
        Row::accepted("a.txt".to_owned(), ID.parse().unwrap())
    }

    #[test]
    fn the_same_command_goes_on_where_it_was_killed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run");
        let names = || vec![PathBuf::from("a.txt"), PathBuf::from("b.txt")];
        let mut first = Journal::open(Some(&path), "x", names()).unwrap();
        first.place(0, KEY);
        first.note(KEY, accepted()).unwrap();
        let key = first.idempotency_key(KEY);
        assert_eq!(states(&first), ["queued", "not_submitted"]);
        drop(first);
        // The last line was not written to its end.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"key\":\"07").unwrap();

        let mut second = Journal::open(Some(&path), "x", names()).unwrap();
        assert_eq!((second.idempotency_key(KEY), second.task(KEY)), (key, Some(ID.parse().unwrap())));
        second.place(0, KEY);
        second.note(KEY, Row { state: "succeeded".to_owned(), ..accepted() }).unwrap();
        assert_eq!(states(&second), ["succeeded", "not_submitted"]);
        second.finish();
        assert!(path.exists(), "one file is no task yet");

        let mut third = Journal::open(Some(&path), "x", names()).unwrap();
        assert!(third.has_ended(KEY));
        third.place(0, KEY);
        third.place(1, KEY);
        third.finish();
        assert!(!path.exists());
    }

    #[test]
    fn another_run_and_a_run_in_progress_are_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run");
        let first = Journal::open(Some(&path), "one thing", Vec::new()).unwrap();
        let said = |asks| Journal::open(Some(&path), asks, Vec::new()).err().unwrap().to_string();
        assert!(said("one thing").contains("in use"));
        drop(first);
        assert!(said("another thing").contains("one thing"));
        std::fs::write(&path, "a file of somebody\n").unwrap();
        assert!(said("one thing").contains("no journal"));
    }
}
