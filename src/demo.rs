//! `talon demo`: the sample documents through all five agents, in one process, on free ports, with nothing left behind.

use std::path::PathBuf;
use std::time::Instant;

use config::{ModelSource, ModelSpec, TalonConfig};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::json;
use types::AgentName;

use crate::alone::Alone;
use crate::cli::DemoArgs;
use crate::expected::Expected;
use crate::failure::Failure;
use crate::output::{print, print_json, say};
use crate::show;
use crate::tally::tally_table;
use crate::trial::{Case, File, Trial};

/// The sample documents and the answers they should get.
static EXAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/examples");

/// A line of `examples/manifest.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    agent: AgentName,
    file: PathBuf,
    expected: Expected,
}

pub(crate) async fn run(arguments: DemoArgs, json: bool) -> Result<(), Failure> {
    let started = Instant::now();
    let samples = samples()?;
    let is_bundled = arguments.model.is_none();
    let mut config = TalonConfig::default();
    if let Some(path) = arguments.model {
        config.models = vec![ModelSpec { name: "pocket".to_owned(), source: ModelSource::Path(path) }];
    }
    let alone = Alone::start(config).await?;
    let url = alone.url();
    let seconds = started.elapsed().as_secs_f64();
    say(format_args!("talon is up at {url} after {seconds:.1} s; {} documents go to five agents", samples.len()));
    let shown = async {
        let trial = alone.run(samples).await?;
        if json {
            report_json(&trial)?
        } else {
            report(&trial, is_bundled)?
        }
        if arguments.keep {
            say(where_to_look_at(&url));
            alone.keep().await?;
        } else if !json {
            say(WHERE_TO_LOOK);
        }
        Ok(trial.failed())
    }
    .await;
    alone.stop().await;
    match shown? {
        0 => Ok(()),
        failed => Err(Failure::negative(format!("{failed} tasks have no result"))),
    }
}

fn samples() -> Result<Vec<Case>, Failure> {
    let broken = |what: String| Failure::unavailable(format!("the built-in examples are broken: {what}"));
    let manifest = EXAMPLES.get_file("manifest.jsonl").and_then(|file| file.contents_utf8());
    let manifest = manifest.ok_or_else(|| broken("no manifest.jsonl".to_owned()))?;
    let mut cases = Vec::new();
    for line in manifest.lines() {
        let sample: Sample = serde_json::from_str(line).map_err(|error| broken(error.to_string()))?;
        let file = EXAMPLES.get_file(&sample.file).ok_or_else(|| broken(sample.file.display().to_string()))?;
        let name = sample.file.display().to_string();
        let document = File { name: name.clone(), bytes: file.contents().to_vec() };
        cases.push(Case {
            name,
            agent: sample.agent,
            input: None,
            documents: vec![document],
            expected: sample.expected,
        });
    }
    Ok(cases)
}

fn report(trial: &Trial, is_bundled: bool) -> Result<(), Failure> {
    let mut table = show::table(["", "document", "result", "expected"]);
    let mut agent = None;
    for outcome in &trial.outcomes {
        if agent != Some(&outcome.case.agent) {
            agent = Some(&outcome.case.agent);
            table.add_row(["", outcome.case.agent.as_str(), "", ""]);
        }
        let mark = if outcome.score.exact { "✓" } else { "✗" };
        table.add_row([mark, &outcome.case.name, &outcome.one_line(), &outcome.case.expected.one_line()]);
    }
    print(format_args!("{table}\n"))?;
    let tallies = trial.tallies(|outcome| outcome.case.agent.to_string());
    print(tally_table("agent", tallies.iter().map(|(name, tally)| (name.clone(), tally))))?;
    let read: u64 = tallies.values().map(|tally| tally.prompt_tokens).sum();
    let written: u64 = tallies.values().map(|tally| tally.completion_tokens).sum();
    let seconds = trial.elapsed.as_secs_f64();
    print(format_args!(
        "\n{} tasks in {seconds:.1} s: {:.0} tasks/min, {:.0} tokens/s read, {:.0} tokens/s written; \
         first result after {:.1} s",
        trial.outcomes.len(),
        trial.tasks_per_minute(),
        read as f64 / seconds,
        written as f64 / seconds,
        trial.first_result.unwrap_or_default().as_secs_f64(),
    ))?;
    if is_bundled {
        print(
            "The model is small (5.5 million parameters) and made for this demonstration; name a larger one in talon.yml.",
        )?;
    }
    Ok(())
}

const WHERE_TO_LOOK: &str = "
Where to look next
  talon demo --keep                   the same, and keeps serving
  talon serve                         the server, on 127.0.0.1:8400
  talon enqueue --agent data-extraction FOLDER --out results.csv
  README.md, ARCHITECTURE.md, config/agents/";

fn where_to_look_at(url: &str) -> String {
    format!(
        "
Where to look next
  curl {url}/v1/tasks                 every task; add /ID/steps for what its agent did
  curl {url}/metrics                  what operators watch
  curl {url}/openapi.json             the whole interface

Serving at {url} until Ctrl-C."
    )
}

fn report_json(trial: &Trial) -> Result<(), Failure> {
    let results: Vec<_> = trial
        .outcomes
        .iter()
        .map(|outcome| {
            json!({
                "agent": outcome.case.agent, "file": outcome.case.name, "state": outcome.task.state,
                "output": outcome.task.output, "error": outcome.task.error, "exact": outcome.score.exact,
            })
        })
        .collect();
    print_json(&json!({
        "seconds": trial.elapsed.as_secs_f64(),
        "first_result_seconds": trial.first_result.map(|first| first.as_secs_f64()),
        "tasks_per_minute": trial.tasks_per_minute(),
        "agents": trial.tallies(|outcome| outcome.case.agent.to_string()),
        "results": results,
    }))
}
