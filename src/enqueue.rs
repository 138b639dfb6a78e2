//! `talon enqueue`: files or lines through an agent, results as a table. What fails has a row that says why. The run is
//! written down beside the results, so that the same command goes on with it.

mod files;
mod journal;
mod lines;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use types::{AgentName, TaskId};

use crate::cli::EnqueueArgs;
use crate::client::{Client, RESTART, new_task};
use crate::digest::sha256_of;
use crate::failure::Failure;
use crate::output::{print, print_json, say};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::results::{ResultsFile, Row, Rows};
use crate::show;
use journal::{Journal, Key};

/// Files on their way at the same time; the server queues them in any case.
const CONCURRENCY: usize = 32;

pub(crate) async fn run(arguments: EnqueueArgs, json: bool) -> Result<(), Failure> {
    let out = arguments.out.as_deref().map(ResultsFile::open).transpose()?;
    let files = if arguments.ndjson.is_some() { Vec::new() } else { files::files(&arguments.files)? };
    let lines = arguments.ndjson.as_deref().map(lines::open).transpose()?;
    let client = Client::of(&arguments.server)?;
    // Asked once: a server or an agent that is not there is not the fault of every single file.
    if let Some(agent) = &arguments.agent {
        check_agent(&client, agent).await?;
    }
    let journal = Journal::open(journal_path(&arguments).as_deref(), &asks(&arguments), files.clone())?;
    if journal.num_tasks() > 0 {
        let (ended, tasks) = (journal.num_ended(), journal.num_tasks());
        say(format_args!("going on with a run that was begun: {tasks} tasks of it are known, {ended} have ended"));
    }
    let progress = if lines.is_some() { Progress::endless() } else { Progress::new(files.len()) };
    let run = Run { client, patience: Patience::new(RESTART), arguments, journal: RefCell::new(journal), progress };
    let interrupted = tokio::select! {
        ended = run.work(&files, lines) => {
            ended?;
            false
        }
        _ = tokio::signal::ctrl_c() => true,
    };
    run.progress.finish();
    let Run { arguments, journal, .. } = run;
    let journal = journal.into_inner();
    let ended = Ended::of(&journal)?;
    match (out, &arguments.out) {
        (Some(file), Some(path)) => {
            file.write(&journal)?;
            say(format_args!("{} rows are in {}", ended.rows, path.display()));
        }
        _ if json => print_json(&rows(&journal)?)?,
        _ => print_table(rows(&journal)?)?,
    }
    let verdict = ended.verdict(&journal, arguments.agent.as_ref(), interrupted);
    // Rows may be missing that were still to be read.
    if !interrupted {
        journal.finish();
    }
    verdict
}

/// Beside the results, unless it is named; without either, a run that is interrupted is not gone on with.
fn journal_path(arguments: &EnqueueArgs) -> Option<PathBuf> {
    let beside = |out: &PathBuf| {
        let mut path = out.clone().into_os_string();
        path.push(".run");
        PathBuf::from(path)
    };
    arguments.resume.clone().or_else(|| arguments.out.as_ref().map(beside))
}

/// What makes two runs the same.
fn asks(arguments: &EnqueueArgs) -> String {
    let agent = arguments.agent.as_ref().map_or("as each line says", AgentName::as_str);
    format!("agent {agent}, class {}, input {:?}", arguments.class, arguments.input.as_deref().unwrap_or_default())
}

async fn check_agent(client: &Client, agent: &AgentName) -> Result<(), Failure> {
    let agents = client.agents().await?;
    if agents.iter().any(|known| known.name == *agent) {
        return Ok(());
    }
    let known = agents.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(Failure::refused(format!("there is no agent {agent}; the server has {known}")))
}

/// One command's work.
struct Run {
    client: Client,
    patience: Patience,
    arguments: EnqueueArgs,
    journal: RefCell<Journal>,
    progress: Progress,
}

impl Run {
    /// Fails when nothing can be written down any more; what a single file meets is in its row.
    async fn work(&self, files: &[PathBuf], lines: Option<lines::Chunks>) -> Result<(), Failure> {
        if let Some(lines) = lines {
            return self.lines(lines).await;
        }
        let files = futures::stream::iter(files.iter().enumerate()).map(Ok);
        files.try_for_each_concurrent(CONCURRENCY, async |(n, path)| self.file(n, path).await).await
    }

    async fn file(&self, n: usize, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        let hashed = sha256_of(path.to_owned()).await;
        let content = hashed.as_ref().map_or(&[][..], |digest| digest);
        let key = key_of(&name, content);
        self.journal.borrow_mut().place(n, key);
        if !self.journal.borrow().has_ended(key) {
            let known = self.journal.borrow().task(key);
            let submitted = match (known, hashed) {
                (Some(task), _) => Ok(task),
                (None, Ok(_)) => self.submit(path, key).await,
                (None, Err(failure)) => Err(failure),
            };
            self.follow(key, name.clone(), submitted).await?;
        }
        self.progress.step(name);
        Ok(())
    }

    async fn submit(&self, path: &Path, key: Key) -> Result<TaskId, Failure> {
        let Some(agent) = self.arguments.agent.clone() else {
            return Err(Failure::usage("name an agent with --agent"));
        };
        let document = self.patience.ask(async || self.client.upload(path).await).await?;
        let request = new_task(agent, self.arguments.input.clone(), vec![document.id], self.arguments.class);
        let idempotency_key = self.journal.borrow().idempotency_key(key);
        Ok(self.patience.ask(async || self.client.submit(&request, Some(&idempotency_key)).await).await?.id)
    }

    /// From a task's acceptance to its end; each is written down.
    async fn follow(&self, key: Key, name: String, submitted: Result<TaskId, Failure>) -> Result<(), Failure> {
        let row = match submitted {
            Err(failure) => Row::of_fault(name, Some(failure.to_string())),
            Ok(id) => {
                let accepted = Row::accepted(name.clone(), id);
                self.journal.borrow_mut().note(key, accepted.clone())?;
                match self.client.wait(id).await {
                    Ok(task) => Row::of_task(name, task),
                    Err(failure) => Row { error: Some(failure.to_string()), ..accepted },
                }
            }
        };
        self.journal.borrow_mut().note(key, row)
    }
}

/// What a file or line is known by in its run.
fn key_of(name: &str, content: &[u8]) -> Key {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([0]);
    hasher.update(content);
    let digest: [u8; 32] = hasher.finalize().into();
    let mut key = Key::default();
    key.copy_from_slice(&digest[..size_of::<Key>()]);
    key
}

/// How a run stands at the end of its command.
#[derive(Default)]
struct Ended {
    rows: usize,
    succeeded: usize,
    tasks: usize,
    unfinished: usize,
}

impl Ended {
    fn of(journal: &Journal) -> Result<Self, Failure> {
        let mut ended = Ended::default();
        for row in journal.all() {
            let row = row.map_err(lost)?;
            ended.rows += 1;
            ended.succeeded += usize::from(row.succeeded());
            ended.tasks += usize::from(row.task.is_some());
            ended.unfinished += usize::from(!row.has_ended());
        }
        Ok(ended)
    }

    fn verdict(&self, journal: &Journal, agent: Option<&AgentName>, interrupted: bool) -> Result<(), Failure> {
        let Ended { rows, tasks, .. } = *self;
        let go_on = match journal.path() {
            Some(path) if self.unfinished > 0 => {
                format!("; the same command goes on with the rest ({} keeps the run)", path.display())
            }
            _ => String::new(),
        };
        if interrupted {
            let of = agent.map_or_else(String::new, |agent| format!(" --agent {agent}"));
            return Err(Failure::interrupted(format!(
                "interrupted: {tasks} of {rows} files are tasks on the server and go on there; find them with \
                 `talon task list{of}`, end one with `talon task cancel ID`{go_on}"
            )));
        }
        match rows - self.succeeded {
            0 => Ok(()),
            failed => Err(Failure::negative(format!("{failed} of {rows} files have no result{go_on}"))),
        }
    }
}

fn rows(journal: &Journal) -> Result<Vec<Row>, Failure> {
    journal.all().collect::<Result<_, _>>().map_err(lost)
}

fn lost(error: std::io::Error) -> Failure {
    Failure::usage(format!("what was written down of the run cannot be read back: {error}"))
}

fn print_table(rows: Vec<Row>) -> Result<(), Failure> {
    let mut table = show::table(["file", "result"]);
    for row in rows {
        table.add_row([row.file.clone(), row.one_line()]);
    }
    print(table)
}
