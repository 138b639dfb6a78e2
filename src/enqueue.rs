//! `talon enqueue`: files through an agent, results as a table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use core_api::SubmitTask;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::EnqueueArgs;
use crate::client::Client;
use crate::failure::Failure;
use crate::results::{self, FileResult, Format};
use crate::show;

/// Files on their way at the same time; the server queues them in any case.
const CONCURRENCY: usize = 32;
/// What a folder's files must end in to be taken.
const ENDINGS: [&str; 11] = ["pdf", "txt", "md", "csv", "tsv", "eml", "log", "json", "html", "diff", "patch"];

pub(crate) async fn run(arguments: EnqueueArgs, json: bool) -> Result<(), Failure> {
    let format = arguments.out.as_deref().map(Format::of).transpose()?;
    let client = Client::new(&arguments.server.url)?;
    let files = files(&arguments.files)?;
    let bar = progress_bar(files.len());
    let work = files.into_iter().map(|path| {
        let (client, bar, arguments) = (&client, &bar, &arguments);
        async move {
            let task = through_agent(client, arguments, &path).await;
            bar.inc(1);
            FileResult { path, task: task.map_err(|failure| failure.to_string()) }
        }
    });
    // In the order of the files, whatever order they end in.
    let done: Vec<FileResult> = futures::stream::iter(work).buffered(CONCURRENCY).collect().await;
    bar.finish_and_clear();
    match (&arguments.out, format) {
        (Some(out), Some(format)) => {
            results::write(out, format, &done)?;
            eprintln!("{} results are in {}", done.len(), out.display());
        }
        _ if json => show::json(&done.iter().map(FileResult::to_json).collect::<Vec<_>>())?,
        _ => print(&done),
    }
    let failed = done.iter().filter(|result| !result.succeeded()).count();
    if failed > 0 {
        return Err(Failure::negative(format!("{failed} of {} files have no result", done.len())));
    }
    Ok(())
}

async fn through_agent(client: &Client, arguments: &EnqueueArgs, path: &Path) -> Result<core_api::TaskView, Failure> {
    let document = client.upload(path).await?;
    let request = SubmitTask {
        agent: arguments.agent.clone(),
        input: arguments.input.clone(),
        documents: vec![document.id],
        class: arguments.class,
        due_at: None,
        deadline_seconds: None,
        max_retries: None,
    };
    let task = client.submit(&request, None).await?;
    client.wait(task.id).await
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
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.path();
            let ending = entry.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
            if entry.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
                inside.push(entry);
            }
        }
        inside.sort();
        files.extend(inside);
    }
    if files.is_empty() {
        return Err(Failure::usage(format!("no files: the folders have none that end in {}", ENDINGS.join(", "))));
    }
    Ok(files)
}

/// A bar with rate and time left; hidden where standard error is no terminal.
pub(crate) fn progress_bar(len: usize) -> ProgressBar {
    let bar = ProgressBar::new(len as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {elapsed}, {eta} left {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn print(results: &[FileResult]) {
    let mut table = show::table(["file", "result"]);
    for result in results {
        let output = result.task.as_ref().ok().and_then(|task| task.output.as_ref()).map(show::one_line);
        let text = output.or_else(|| result.error().map(|error| format!("failed: {error}"))).unwrap_or_default();
        table.add_row([result.path.display().to_string(), text]);
    }
    println!("{table}");
}
