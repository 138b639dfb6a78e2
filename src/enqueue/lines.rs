//! Tasks of an NDJSON file or of standard input: sent in batches, followed like files. Never holds more than a few chunks.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use core_api::BatchAnswer;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use types::TaskId;

use super::{CONCURRENCY, Key, Run, key_of};
use crate::failure::Failure;
use crate::results::Row;

/// Lines sent together, and bytes of them, about.
const CHUNK_LINES: usize = 500;
const CHUNK_BYTES: usize = 2 << 20;
/// Chunks on their way at the same time.
const CHUNKS: usize = 4;
/// Before lines that found the queue full are sent again, unless the server says more.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Lines by their number, from 0, as they are read.
pub(super) type Chunks = mpsc::Receiver<Result<Vec<(usize, String)>, Failure>>;

/// Reads a file, or standard input for `-`, on a thread of its own and no faster than the lines are taken.
pub(super) fn open(path: &Path) -> Result<Chunks, Failure> {
    let name = path.display().to_string();
    let reader: Box<dyn BufRead + Send> = match path == Path::new("-") {
        true => Box::new(BufReader::new(std::io::stdin())),
        false => {
            let file = std::fs::File::open(path);
            let file = file.map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
            Box::new(BufReader::new(file))
        }
    };
    let (sender, chunks) = mpsc::channel(1);
    std::thread::spawn(move || {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for (n, line) in reader.lines().enumerate() {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    let failure = Failure::usage(format!("{name} cannot be read on line {}: {error}", n + 1));
                    let _ = sender.blocking_send(Ok(chunk)).and_then(|()| sender.blocking_send(Err(failure)));
                    return;
                }
            };
            bytes += line.len();
            chunk.push((n, line));
            if CHUNK_LINES <= chunk.len() || CHUNK_BYTES <= bytes {
                bytes = 0;
                // Nobody takes them any more when this fails.
                if sender.blocking_send(Ok(std::mem::take(&mut chunk))).is_err() {
                    return;
                }
            }
        }
        let _ = sender.blocking_send(Ok(chunk));
    });
    Ok(chunks)
}

/// A line on its way.
struct Item {
    key: Key,
    name: String,
    task: String,
}

impl Run {
    pub(super) async fn lines(&self, chunks: Chunks) -> Result<(), Failure> {
        let chunks = futures::stream::unfold(chunks, async |mut chunks| Some((chunks.recv().await?, chunks)));
        chunks.try_for_each_concurrent(CHUNKS, async |chunk| self.chunk(chunk).await).await
    }

    async fn chunk(&self, lines: Vec<(usize, String)>) -> Result<(), Failure> {
        let (mut unsent, mut accepted) = (Vec::new(), Vec::new());
        let lines = lines.into_iter().filter(|(_, line)| !line.trim().is_empty());
        for (n, line) in lines {
            let key = key_of(&n.to_string(), line.as_bytes());
            self.journal.borrow_mut().add(key);
            let known = self.journal.borrow().task(key);
            match (self.item(key, n, &line), known) {
                _ if self.journal.borrow().has_ended(key) => self.progress.step(String::new()),
                (Ok(item), Some(task)) => accepted.push((item, task)),
                (Ok(item), None) => unsent.push(item),
                (Err(why), _) => self.lost(key, format!("line {}", n + 1), why)?,
            }
        }
        accepted.extend(self.send(unsent).await?);
        let accepted = futures::stream::iter(accepted).map(Ok);
        let follow = async |(item, task): (Item, TaskId)| {
            self.follow(item.key, item.name.clone(), Ok(task)).await?;
            self.progress.step(item.name);
            Ok(())
        };
        accepted.try_for_each_concurrent(CONCURRENCY, follow).await
    }

    /// Sends lines until each is a task or has a row that says why not.
    async fn send(&self, mut unsent: Vec<Item>) -> Result<Vec<(Item, TaskId)>, Failure> {
        let mut accepted = Vec::new();
        while !unsent.is_empty() {
            let body: String = unsent.iter().flat_map(|item| [item.task.as_str(), "\n"]).collect();
            let answers = match self.patience.ask(async || self.client.batch(body.clone()).await).await {
                Ok(answers) => answers,
                Err(failure) => {
                    for item in unsent {
                        self.lost(item.key, item.name, failure.to_string())?;
                    }
                    return Ok(accepted);
                }
            };
            let answers = in_order(answers, unsent.len());
            let (mut again, mut pause) = (Vec::new(), BUSY_PAUSE);
            for (item, answer) in unsent.into_iter().zip(answers) {
                match answer {
                    Some(BatchAnswer { id: Some(task), .. }) => {
                        self.journal.borrow_mut().note(item.key, Row::accepted(item.name.clone(), task))?;
                        accepted.push((item, task));
                    }
                    None => again.push(item),
                    Some(BatchAnswer { status: 429 | 503 | 507, problem, .. }) => {
                        let seconds = problem.and_then(|problem| problem.retry_after).unwrap_or_default();
                        pause = pause.max(Duration::from_secs(seconds.into()));
                        again.push(item);
                    }
                    Some(BatchAnswer { problem, status, .. }) => {
                        let why = problem.map_or_else(|| format!("the server answered {status}"), |it| it.to_string());
                        self.lost(item.key, item.name, why)?;
                    }
                }
            }
            unsent = again;
            if !unsent.is_empty() {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(accepted)
    }

    fn lost(&self, key: Key, name: String, why: String) -> Result<(), Failure> {
        self.journal.borrow_mut().note(key, Row::of_fault(name.clone(), Some(why)))?;
        self.progress.step(name);
        Ok(())
    }

    /// A line as the server takes it: what it leaves out, or says is null, is as the command says.
    fn item(&self, key: Key, n: usize, line: &str) -> Result<Item, String> {
        let mut task: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| format!("the line is no JSON object: {error}"))?;
        task.retain(|_, value| !value.is_null());
        let name = match task.shift_remove("name") {
            Some(Value::String(name)) => name,
            None => format!("line {}", n + 1),
            Some(_) => return Err("name is no text".to_owned()),
        };
        let arguments = &self.arguments;
        let mut or = |field: &str, value: Option<String>| {
            if let Some(value) = value
                && !task.contains_key(field)
            {
                task.insert(field.to_owned(), value.into());
            }
        };
        or("agent", arguments.agent.as_ref().map(ToString::to_string));
        or("input", arguments.input.clone());
        or("idempotency_key", Some(self.journal.borrow().idempotency_key(key)));
        if !task.contains_key("priority") {
            task.entry("class").or_insert_with(|| arguments.class.to_string().into());
        }
        if !task.contains_key("agent") {
            return Err("the line names no agent; name one there or with --agent".to_owned());
        }
        Ok(Item { key, name, task: Value::Object(task).to_string() })
    }
}

/// By their line; none for a line that has no answer.
fn in_order(answers: Vec<BatchAnswer>, lines: usize) -> Vec<Option<BatchAnswer>> {
    let mut ordered: Vec<Option<BatchAnswer>> = (0..lines).map(|_| None).collect();
    for answer in answers {
        let line = usize::try_from(answer.line).unwrap_or_default();
        if let Some(place) = line.checked_sub(1).and_then(|line| ordered.get_mut(line)) {
            *place = Some(answer);
        }
    }
    ordered
}
