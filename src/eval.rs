//! `talon eval`: cases with known answers through the whole product, scored by agent and split.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;
use types::AgentName;

use crate::alone::Alone;
use crate::cli::EvalArgs;
use crate::configuration;
use crate::expected::Expected;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::tally::tally_table;
use crate::trial::{Case, File, Outcome, Trial};

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
    let alone = Alone::start(configuration::load(arguments.config.as_deref())?).await?;
    let trial = alone.run(cases).await;
    alone.stop().await;
    if json { report_json(&trial?, arguments.failures) } else { report(&trial?, arguments.failures) }
}

fn report(trial: &Trial, with_failures: bool) -> Result<(), Failure> {
    if with_failures {
        for outcome in trial.outcomes.iter().filter(|outcome| !outcome.score.exact) {
            print(format_args!(
                "{} {}\n  expected  {}\n  answered  {}",
                outcome.case.agent,
                outcome.case.name,
                outcome.case.expected.one_line(),
                outcome.one_line()
            ))?;
        }
    }
    let tallies = trial.tallies(agent_and_split);
    let rows = tallies.iter().map(|((agent, split), tally)| (format!("{agent}, {split}"), tally));
    print(tally_table("agent, split", rows))?;
    print(format_args!("{} cases in {:.1} s", trial.outcomes.len(), trial.elapsed.as_secs_f64()))
}

fn report_json(trial: &Trial, with_failures: bool) -> Result<(), Failure> {
    let tallies = trial.tallies(agent_and_split);
    let scores: Vec<_> =
        tallies.iter().map(|((agent, split), tally)| json!({"agent": agent, "split": split, "tally": tally})).collect();
    let mut report = json!({
        "seconds": trial.elapsed.as_secs_f64(), "tasks_per_minute": trial.tasks_per_minute(), "scores": scores
    });
    if with_failures {
        let wrong = trial.outcomes.iter().filter(|outcome| !outcome.score.exact);
        report["failures"] = wrong
            .map(|outcome| {
                json!({
                    "agent": outcome.case.agent, "case": outcome.case.name, "expected": outcome.case.expected,
                    "output": outcome.task.output, "error": outcome.task.error,
                })
            })
            .collect();
    }
    print_json(&report)
}

fn agent_and_split(outcome: &Outcome) -> (String, String) {
    let split = outcome.case.name.split('/').next().unwrap_or_default();
    (outcome.case.agent.to_string(), split.to_owned())
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
