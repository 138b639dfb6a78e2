//! The command line. Thin: parses, runs one subcommand, prints its failure, exits with its code.

mod agent;
mod alone;
mod bundled;
mod chat;
mod cli;
mod client;
mod completions;
mod configuration;
mod demo;
mod digest;
mod dlq;
mod door;
mod enqueue;
mod eval;
mod expected;
mod failure;
mod help;
mod hub;
mod key;
mod leader;
mod logging;
mod metrics;
mod model;
mod models;
mod output;
mod pass_on;
mod patience;
mod progress;
mod queue;
mod results;
mod serve;
mod service;
mod show;
mod signals;
mod sse;
mod tally;
mod task;
mod team;
mod toolserver;
mod trial;
mod webhook;

use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    leave_a_core();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.is_told() {
                output::say(format_args!("error: {failure}"));
            }
            failure.exit_code()
        }
    }
}

/// Candle's threads spin while they wait for each other, and a thread that shares its core with another program keeps
/// all of them spinning: a loaded two-core machine ran the demo at a third of the speed. So one core stays free for
/// HTTP, tools and tokenizing.
#[allow(unsafe_code, reason = "the variable is candle's only setting for this")]
fn leave_a_core() {
    const VARIABLE: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_none() {
        let threads = available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
        // SAFETY: called before any other thread is started.
        unsafe { std::env::set_var(VARIABLE, threads.to_string()) };
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(dispatch(cli.command, cli.json));
    // Not waited for: whoever interrupts the loading of a large model means now.
    runtime.shutdown_background();
    result
}

async fn dispatch(command: Command, json: bool) -> Result<(), Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments, json).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Task(command) => task::run(command, json).await,
        Command::Enqueue(arguments) => enqueue::run(arguments, json).await,
        Command::Dlq(command) => dlq::run(command, json).await,
        Command::Queue(command) => queue::run(command, json).await,
        Command::Key(command) => key::run(command, json).await,
        Command::Team(command) => team::run(command, json).await,
        Command::Webhook(command) => webhook::run(command, json).await,
        Command::Agent(command) => agent::run(command, json).await,
        Command::Chat(arguments) => chat::run(arguments, json).await,
        Command::Model(command) => model::run(command, json).await,
        Command::Eval(arguments) => eval::run(arguments, json).await,
        Command::Toolserver(arguments) => toolserver::run(arguments).await,
        Command::Completions { shell } => completions::run(shell),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format!("no threads for the runtime: {error}")))
}
