//! Open-loop load on a running Talon: tasks are submitted at a fixed rate whatever the answers do, so that a slow
//! server cannot hide its queueing by slowing the generator down.

mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::summary::{Outcome, Summary};

/// Submit tasks at a fixed rate and report what became of them.
#[derive(Parser)]
#[command(name = "talon-load", version)]
struct Arguments {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8400")]
    url: String,
    /// The agent that gets the tasks.
    #[arg(long, default_value = "customer-query-routing")]
    agent: String,
    /// A file with one input a line; they are taken in turn.
    #[arg(long)]
    inputs: Option<PathBuf>,
    /// Tasks submitted per minute.
    #[arg(long, default_value_t = 60.0)]
    rate_per_minute: f64,
    /// How long to submit, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long to wait for one task, in seconds.
    #[arg(long, default_value_t = 120)]
    wait: u64,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

const DEFAULT_INPUT: &str = "I was charged twice for invoice INV-2024-0113. Please refund me. This is urgent.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let inputs = match &arguments.inputs {
        None => vec![DEFAULT_INPUT.to_owned()],
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
            Err(err) => {
                eprintln!("error: {} cannot be read: {err}", path.display());
                return ExitCode::from(2);
            }
        },
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    if inputs.is_empty() || arguments.rate_per_minute.is_nan() || arguments.rate_per_minute <= 0.0 {
        eprintln!("error: the inputs are empty or --rate-per-minute is not above 0");
        return ExitCode::from(2);
    }
    // A machine's own server is asked over plain HTTP, which needs neither certificates nor a TLS provider.
    let client = match reqwest::Client::builder().no_proxy().tls_certs_only([]).build() {
        Ok(client) => client,
        Err(err) => {
            eprintln!("error: no HTTP client can be made: {err}");
            return ExitCode::from(3);
        }
    };
    let summary = run(&client, &arguments, &inputs).await;
    if arguments.json {
        println!("{}", summary.to_json());
    } else {
        print!("{summary}");
    }
    if summary.all_succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Submits for the asked time, then waits for what is still on its way.
async fn run(client: &reqwest::Client, arguments: &Arguments, inputs: &[String]) -> Summary {
    let mut tick = tokio::time::interval(Duration::from_secs_f64(60.0 / arguments.rate_per_minute));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let started = Instant::now();
    let submitting = Duration::from_secs(arguments.seconds);
    let mut on_their_way = JoinSet::new();
    for input in inputs.iter().cycle() {
        tick.tick().await;
        if started.elapsed() >= submitting {
            break;
        }
        let request = client
            .post(format!("{}/v1/tasks?wait={}", arguments.url, arguments.wait))
            .json(&json!({"agent": arguments.agent, "input": input}));
        on_their_way.spawn(submit(request));
    }
    let mut summary = Summary::new(arguments.rate_per_minute);
    while let Some(joined) = on_their_way.join_next().await {
        let (outcome, latency) = joined.unwrap_or((Outcome::Unreachable, Duration::ZERO));
        summary.record(outcome, latency);
    }
    summary.ended(started.elapsed());
    summary
}

async fn submit(request: reqwest::RequestBuilder) -> (Outcome, Duration) {
    let started = Instant::now();
    let outcome = match request.send().await {
        Err(_) => Outcome::Unreachable,
        Ok(response) if response.status() == 429 => Outcome::Refused,
        Ok(response) if response.status() == 202 => Outcome::TimedOut,
        Ok(response) if response.status().is_success() => match response.json::<Value>().await {
            Ok(task) if task["state"] == "succeeded" => Outcome::Succeeded,
            _ => Outcome::Failed,
        },
        Ok(_) => Outcome::Failed,
    };
    (outcome, started.elapsed())
}
