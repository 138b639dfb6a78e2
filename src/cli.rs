//! The command line: what can be asked, and the help that teaches it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use types::{AgentName, TaskClass, TaskId, TaskState};

/// Self-hosted LLM inference and agent-pool worker system.
///
/// Start with `talon demo`: it runs the sample documents through five agents on the bundled model and ends by itself.
/// Then `talon serve`, and from another terminal `talon task submit` or `talon enqueue`.
#[derive(Parser)]
#[command(name = "talon", version, propagate_version = true, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print results as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 a task failed, or a file has errors · 2 wrong usage or configuration · \
3 the server cannot be reached or cannot start · 4 the server refused the request · 130 interrupted";

const DEMO_EXAMPLES: &str = "\
Examples:
  talon demo                             documents, results, expected values; ends by itself
  talon demo --keep                      then serves on, to look at with curl
  talon demo --json > demo.json          for scripts
  talon demo --model mistral-7b.gguf     the same with a real model

Needs nothing and leaves nothing behind: it runs in a temporary folder, on free ports.";

const SERVE_EXAMPLES: &str = "\
Examples:
  talon serve                            defaults: 127.0.0.1:8400, the bundled model, five agents
  talon serve --config talon.yml         your models, agents and limits
  talon serve --listen 127.0.0.1:0       on a free port, which it prints
  TALON_DATA_DIR=/var/lib/talon talon serve

Ctrl-C or SIGTERM ends it in order: running tasks are finished or given back. A second one ends it at once.
Nothing that was accepted is lost either way.";

const SUBMIT_EXAMPLES: &str = "\
Examples:
  talon task submit --agent customer-query-routing \"I was charged twice.\" --wait
  talon task submit --agent document-summarization --document memo.pdf --wait
  git diff | talon task submit --agent code-review-triage - --wait --json
  talon task submit --agent data-extraction --document inv.pdf --idempotency-key inv-0113

Without --wait it prints the task's id alone. With it, the exit code is 1 when the task has no result.";

const ENQUEUE_EXAMPLES: &str = "\
Examples:
  talon enqueue --agent data-extraction invoices/ --out results.csv
  talon enqueue --agent document-summarization memos/*.pdf --out results.jsonl
  talon enqueue --agent report-generation tables/ --json

A file that fails has a row that says why, and the others go on; the exit code is then 1. After Ctrl-C the tasks stay
on the server, and the rows have their ids.";

const VALIDATE_EXAMPLES: &str = "\
Examples:
  talon agent validate                   what `talon serve` would load from here
  talon agent validate agents/           a folder, or files by name
  talon agent validate --config talon.yml
  talon agent validate --json | jq .     file, line, column, message, hint";

const EVAL_EXAMPLES: &str = "\
Examples:
  talon eval                             config/evals/*.jsonl below this folder
  talon eval config/evals/data-extraction.jsonl --failures
  talon eval --config talon.yml --json

A line of a file: {\"id\": \"1\", \"split\": \"held-out\", \"input\": \"…\", \"documents\": [], \"expected\": {\"json\": {…}}}.
`expected` is json (every field), text (every line) or facts (all of these, and no invented number).";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the sample documents through all five agents and show results beside the expected values.
    Demo(DemoArgs),
    /// Start the server: engine, store, queue, worker pool, REST on 127.0.0.1:8400.
    Serve(ServeArgs),
    /// Submit and follow tasks on a running server.
    #[command(subcommand)]
    Task(TaskCommand),
    /// Send files through an agent and collect a table of results.
    Enqueue(EnqueueArgs),
    /// Look at agents and check their files.
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Run cases with known answers through the whole product and score the agents.
    Eval(EvalArgs),
    /// Start the reference tool server: /parse, /validate, /table.
    Toolserver(ToolserverArgs),
    /// Print a completion script, e.g. `talon completions bash > /etc/bash_completion.d/talon`.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Keep serving after the last result, until Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Use this GGUF file in place of the bundled pocket model.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct ServeArgs {
    /// The configuration; without it `TALON_CONFIG`, then config/talon.yml, then defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Listen here instead of where the configuration says.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
}

/// Which server a command talks to.
#[derive(Args, Clone)]
pub(crate) struct ServerArgs {
    /// The server.
    #[arg(long, env = "TALON_URL", default_value = "http://127.0.0.1:8400", value_name = "URL")]
    pub(crate) url: String,
}

#[derive(Subcommand)]
pub(crate) enum TaskCommand {
    /// Submit one task.
    Submit(SubmitArgs),
    /// Show one task.
    Get(TaskArgs),
    /// List tasks, the newest first.
    List(ListArgs),
    /// Follow a task's steps, as they are taken, until it ends.
    Watch(TaskArgs),
    /// Cancel a task.
    Cancel(TaskArgs),
}

#[derive(Args)]
#[command(after_help = SUBMIT_EXAMPLES)]
pub(crate) struct SubmitArgs {
    /// Who works on it; `talon agent list` names them.
    #[arg(long)]
    pub(crate) agent: AgentName,
    /// The text of the task; `-` reads standard input.
    #[arg(required_unless_present = "documents")]
    pub(crate) input: Option<String>,
    /// A file to upload and refer to; may be given several times.
    #[arg(long = "document", value_name = "FILE")]
    pub(crate) documents: Vec<PathBuf>,
    /// How urgent it is: interactive, normal or batch.
    #[arg(long, default_value_t)]
    pub(crate) class: TaskClass,
    /// Submitting again under the same key gives the same task back.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Wait for the end and print the answer.
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct TaskArgs {
    /// The task's id.
    pub(crate) id: TaskId,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only tasks in this state: queued, scheduled, running, succeeded, failed, cancelled or dead.
    #[arg(long)]
    pub(crate) state: Option<TaskState>,
    /// Only tasks of this agent.
    #[arg(long)]
    pub(crate) agent: Option<AgentName>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
#[command(after_help = ENQUEUE_EXAMPLES)]
pub(crate) struct EnqueueArgs {
    /// Who works on the files.
    #[arg(long)]
    pub(crate) agent: AgentName,
    /// Files, and folders whose files are taken (PDF and text).
    #[arg(required = true, value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the results here: .csv or .jsonl. Without it they are printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Text given to the agent with each file.
    #[arg(long)]
    pub(crate) input: Option<String>,
    /// How urgent the tasks are: interactive, normal or batch.
    #[arg(long, default_value_t = TaskClass::Batch)]
    pub(crate) class: TaskClass,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Subcommand)]
pub(crate) enum AgentCommand {
    /// List the agents of the running server, or with --config those of a configuration.
    List(AgentListArgs),
    /// Check agents' files (and talon.yml) and print every mistake with file, line, column and a hint.
    Validate(ValidateArgs),
}

#[derive(Args)]
pub(crate) struct AgentListArgs {
    /// Read this configuration instead of asking a server.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
#[command(after_help = VALIDATE_EXAMPLES)]
pub(crate) struct ValidateArgs {
    /// Agents' files or folders of them; without any, what the configuration names.
    #[arg(value_name = "PATHS")]
    pub(crate) paths: Vec<PathBuf>,
    /// The configuration to check as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = EVAL_EXAMPLES)]
pub(crate) struct EvalArgs {
    /// Files of cases, each named after its agent; without any, those of config/evals.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// The configuration whose models and agents are scored.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print every case that was not exactly right.
    #[arg(long)]
    pub(crate) failures: bool,
}

#[derive(Args)]
pub(crate) struct ToolserverArgs {
    /// Where it listens. Tools see documents: keep it on this machine or in a private network.
    #[arg(long, default_value = "127.0.0.1:9001", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
}
