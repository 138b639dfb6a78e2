//! `talon enqueue`: files through an agent, results as a table. A file that fails has a row that says why.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use types::{AgentName, ProcessId};

use crate::cli::EnqueueArgs;
use crate::client::{Client, RESTART, new_task};
use crate::failure::Failure;
use crate::output::{print, print_json, say};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::results::{FileResult, ResultsFile};
use crate::show;

/// Files on their way at the same time; the server queues them in any case.
const CONCURRENCY: usize = 32;
/// What a folder's files must end in to be taken.
const ENDINGS: [&str; 11] = ["pdf", "txt", "md", "csv", "tsv", "eml", "log", "json", "html", "diff", "patch"];

pub(crate) async fn run(arguments: EnqueueArgs, json: bool) -> Result<(), Failure> {
    let out = arguments.out.as_deref().map(ResultsFile::open).transpose()?;
    let results: Vec<RefCell<FileResult>> =
        files(&arguments.files)?.into_iter().map(FileResult::new).map(RefCell::new).collect();
    let client = Client::new(&arguments.server.url)?;
    // Asked once: a server or an agent that is not there is not the fault of every single file.
    check_agent(&client, &arguments.agent).await?;

    let progress = Progress::new(results.len());
    let patience = Patience::new(RESTART);
    // The same file of the same run is the same task, however often it has to be submitted.
    let run = ProcessId::new();
    let work =
        futures::stream::iter(results.iter().enumerate()).for_each_concurrent(CONCURRENCY, async |(n, result)| {
            let key = format!("enqueue-{run}-{n}");
            if let Err(failure) = through_agent(&client, &patience, &arguments, &key, result).await {
                result.borrow_mut().fault = Some(failure.to_string());
            }
            progress.step(result.borrow().path.display().to_string());
        });
    let interrupted = tokio::select! {
        () = work => false,
        _ = tokio::signal::ctrl_c() => true,
    };
    progress.finish();

    // In the order of the files, whatever order they ended in.
    let results: Vec<FileResult> = results.into_iter().map(RefCell::into_inner).collect();
    match (out, &arguments.out) {
        (Some(file), Some(path)) => {
            file.write(&results)?;
            say(format_args!("{} rows are in {}", results.len(), path.display()));
        }
        _ if json => print_json(&results.iter().map(FileResult::to_json).collect::<Vec<_>>())?,
        _ => print_table(&results)?,
    }
    ended(&results, &arguments.agent, interrupted)
}

async fn check_agent(client: &Client, agent: &AgentName) -> Result<(), Failure> {
    let agents = client.agents().await?;
    if agents.iter().any(|known| known.name == *agent) {
        return Ok(());
    }
    let known = agents.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(Failure::refused(format!("there is no agent {agent}; the server has {known}")))
}

/// From a file to its task's end; `result` has the task as soon as it is accepted.
async fn through_agent(
    client: &Client,
    patience: &Patience,
    arguments: &EnqueueArgs,
    key: &str,
    result: &RefCell<FileResult>,
) -> Result<(), Failure> {
    let path = result.borrow().path.clone();
    let document = patience.ask(async || client.upload(&path).await).await?;
    let request = new_task(arguments.agent.clone(), arguments.input.clone(), vec![document.id], arguments.class);
    let task = patience.ask(async || client.submit(&request, Some(key)).await).await?;
    let id = task.id;
    result.borrow_mut().task = Some(task);
    let task = client.wait(id).await?;
    result.borrow_mut().task = Some(task);
    Ok(())
}

fn ended(results: &[FileResult], agent: &AgentName, interrupted: bool) -> Result<(), Failure> {
    let failed = results.iter().filter(|result| !result.succeeded()).count();
    match (interrupted, failed) {
        (false, 0) => Ok(()),
        (false, _) => Err(Failure::negative(format!("{failed} of {} files have no result", results.len()))),
        (true, _) => {
            let accepted = results.iter().filter(|result| result.task.is_some()).count();
            Err(Failure::interrupted(format!(
                "interrupted: {accepted} of {} files are tasks on the server and go on there; find them with \
                 `talon task list --agent {agent}`, end one with `talon task cancel ID`",
                results.len()
            )))
        }
    }
}

/// Files as they were named; folders with what is directly in them, sorted.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
        if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries =
            std::fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let inside = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file());
        let (mut taken, left): (Vec<PathBuf>, Vec<PathBuf>) = inside.partition(|path| is_document(path));
        if !left.is_empty() {
            say(format_args!(
                "{}: {} files are left out; taken are {}",
                path.display(),
                left.len(),
                ENDINGS.join(", ")
            ));
        }
        taken.sort();
        files.extend(taken);
    }
    if files.is_empty() {
        return Err(Failure::usage(format!("no files: the folders have none that end in {}", ENDINGS.join(", "))));
    }
    Ok(files)
}

fn is_document(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn print_table(results: &[FileResult]) -> Result<(), Failure> {
    let mut table = show::table(["file", "result"]);
    for result in results {
        table.add_row([result.path.display().to_string(), result.one_line()]);
    }
    print(table)
}
