//! `talon demo`: the sample documents through all five agents, in one process, on free ports, with nothing left behind.

use std::path::PathBuf;
use std::time::Instant;

use config::{LogLevel, ModelSource, ModelSpec, TalonConfig};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::json;
use types::AgentName;

use crate::cli::DemoArgs;
use crate::client::Client;
use crate::expected::Expected;
use crate::failure::{Failure, FailureKind};
use crate::serve::Server;
use crate::trial::{self, Case, File, Trial};
use crate::{logging, show, signals};

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
    let shutdown = signals::shutdown_requested()?;
    let data_dir = tempfile::Builder::new()
        .prefix("talon-demo-")
        .tempdir()
        .map_err(|error| Failure::unavailable(format!("no temporary folder can be made: {error}")))?;
    let mut config = TalonConfig { data_dir: data_dir.path().to_owned(), ..TalonConfig::default() };
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.log.level = LogLevel::Warn;
    if let Some(path) = arguments.model {
        config.models = vec![ModelSpec { name: "pocket".to_owned(), source: ModelSource::Path(path) }];
    }
    logging::start(&config.log);

    let server = Server::start(config).await?;
    let url = format!("http://{}", server.address());
    let samples = samples()?;
    eprintln!(
        "talon is up at {url} after {:.1} s; {} documents go to five agents",
        started.elapsed().as_secs_f64(),
        samples.len()
    );
    let client = Client::new(&url)?;
    let trial = tokio::select! {
        trial = trial::run(&client, samples) => trial,
        () = shutdown.cancelled() => Err(Failure::new(FailureKind::Interrupted, "interrupted")),
    };
    let trial = match trial {
        Ok(trial) => trial,
        Err(failure) => {
            server.stop().await;
            return Err(failure);
        }
    };
    let reported = if json { report_json(&trial) } else { report(&trial, &url, arguments.keep) };
    if arguments.keep {
        shutdown.cancelled().await;
    }
    server.stop().await;
    reported?;
    match trial.failed() {
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

fn report(trial: &Trial, url: &str, keep: bool) -> Result<(), Failure> {
    let mut table = show::table(["", "document", "result", "expected"]);
    let mut agent = None;
    for outcome in &trial.outcomes {
        if agent != Some(&outcome.case.agent) {
            agent = Some(&outcome.case.agent);
            table.add_row(["", outcome.case.agent.as_str(), "", ""]);
        }
        let result = match &outcome.task.output {
            Some(output) => show::one_line(output),
            None => outcome.task.error.clone().unwrap_or_default(),
        };
        let mark = if outcome.score.exact { "✓" } else { "✗" };
        table.add_row([mark, &outcome.case.name, &result, &outcome.case.expected.one_line()]);
    }
    println!("{table}\n");
    let tallies = trial.tallies(|outcome| outcome.case.agent.to_string());
    println!("{}", trial::tally_table("agent", tallies.iter().map(|(name, tally)| (name.clone(), tally))));
    let read: u64 = tallies.values().map(|tally| tally.prompt_tokens).sum();
    let written: u64 = tallies.values().map(|tally| tally.completion_tokens).sum();
    let seconds = trial.elapsed.as_secs_f64();
    println!(
        "\n{} tasks in {seconds:.1} s: {:.0} tasks/min, {:.0} tokens/s read, {:.0} tokens/s written; first result after {:.1} s",
        trial.outcomes.len(),
        trial.tasks_per_minute(),
        read as f64 / seconds,
        written as f64 / seconds,
        trial.first_result.unwrap_or_default().as_secs_f64(),
    );
    println!(
        "The model is small (5.5 million parameters) and made for this demonstration; name a larger one in talon.yml."
    );
    println!("\nWhere to look next");
    if keep {
        println!("  curl {url}/v1/tasks                 every task; add /ID/steps for what its agent did");
        println!("  curl {url}/metrics                  what operators watch");
        println!("  curl {url}/openapi.json             the whole interface");
        println!("\nServing at {url} until Ctrl-C.");
    } else {
        println!("  talon demo --keep                   the same, and keeps serving");
        println!("  talon serve                         the server, on 127.0.0.1:8400");
        println!("  talon enqueue --agent data-extraction FOLDER --out results.csv");
        println!("  README.md, ARCHITECTURE.md, config/agents/");
    }
    Ok(())
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
    show::json(&json!({
        "seconds": trial.elapsed.as_secs_f64(),
        "first_result_seconds": trial.first_result.map(|first| first.as_secs_f64()),
        "tasks_per_minute": trial.tasks_per_minute(),
        "agents": trial.tallies(|outcome| outcome.case.agent.to_string()),
        "results": results,
    }))
}
