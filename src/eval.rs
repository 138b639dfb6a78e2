//! `talon eval`: cases with known answers through the whole product, scored by agent and split.

use std::path::{Path, PathBuf};

use config::TalonConfig;
use serde::Deserialize;
use serde_json::json;
use types::AgentName;

use crate::cli::EvalArgs;
use crate::client::Client;
use crate::expected::Expected;
use crate::failure::Failure;
use crate::serve::Server;
use crate::trial::{self, Case, File};
use crate::{configuration, logging, show};

/// A line of `config/evals/<agent>.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    split: String,
    input: Option<String>,
    documents: Vec<Document>,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    text: String,
}

pub(crate) async fn run(arguments: EvalArgs, json: bool) -> Result<(), Failure> {
    let files = if arguments.files.is_empty() { default_files() } else { arguments.files };
    let mut cases = Vec::new();
    for file in &files {
        cases.extend(read(file)?);
    }
    if cases.is_empty() {
        return Err(Failure::usage("there are no cases: name .jsonl files such as config/evals/data-extraction.jsonl"));
    }
    let data_dir = tempfile::tempdir()
        .map_err(|error| Failure::unavailable(format!("no temporary folder can be made: {error}")))?;
    let mut config = configuration::load(arguments.config.as_deref())?;
    config.data_dir = data_dir.path().to_owned();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    logging::start(&config.log);
    let trial = measure(config, cases).await?;
    let tallies = trial.tallies(|outcome| {
        let split = outcome.case.name.split('/').next().unwrap_or_default().to_owned();
        (outcome.case.agent.to_string(), split)
    });
    if json {
        let rows: Vec<_> = tallies
            .iter()
            .map(|((agent, split), tally)| json!({"agent": agent, "split": split, "tally": tally}))
            .collect();
        return show::json(&json!({
            "seconds": trial.elapsed.as_secs_f64(), "tasks_per_minute": trial.tasks_per_minute(), "scores": rows
        }));
    }
    if arguments.failures {
        for outcome in trial.outcomes.iter().filter(|outcome| !outcome.score.exact) {
            let given = outcome.task.output.as_ref().map(show::one_line).or(outcome.task.error.clone());
            println!("{} {}", outcome.case.agent, outcome.case.name);
            println!("  expected  {}\n  answered  {}", outcome.case.expected.one_line(), given.unwrap_or_default());
        }
    }
    let rows = tallies.iter().map(|((agent, split), tally)| (format!("{agent}, {split}"), tally));
    println!("{}", trial::tally_table("agent, split", rows));
    println!("{} cases in {:.1} s", trial.outcomes.len(), trial.elapsed.as_secs_f64());
    Ok(())
}

async fn measure(config: TalonConfig, cases: Vec<Case>) -> Result<trial::Trial, Failure> {
    let server = Server::start(config).await?;
    let client = Client::new(&format!("http://{}", server.address()))?;
    let trial = trial::run(&client, cases).await;
    server.stop().await;
    trial
}

/// The cases of one file; the agent is the file's name.
fn read(path: &Path) -> Result<Vec<Case>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let agent: AgentName = name
        .parse()
        .map_err(|error| Failure::usage(format!("{} must be named after its agent: {error}", path.display())))?;
    let mut cases = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line)
            .map_err(|error| Failure::usage(format!("{}:{}: {error}", path.display(), index + 1)))?;
        cases.push(Case {
            name: format!("{}/{}", line.split, line.id),
            agent: agent.clone(),
            input: line.input,
            documents: line.documents.into_iter().map(|it| File { name: it.name, bytes: it.text.into() }).collect(),
            expected: line.expected,
        });
    }
    Ok(cases)
}

/// The shipped cases, where the command runs in the project's folder.
fn default_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir("config/evals")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    files
}
