//! The command line: what can be asked, and the help that teaches it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use types::{AgentName, TaskClass, TaskId, TaskState};

use crate::help;

/// Self-hosted LLM inference and agent-pool worker system.
///
/// Start with `talon demo`: it runs the sample documents through five agents on the bundled model and ends by itself.
/// Then `talon serve`, and from another terminal `talon task submit` or `talon enqueue`.
#[derive(Parser)]
#[command(name = "talon", version, propagate_version = true, max_term_width = 110, after_help = help::EXIT_CODES)]
pub(crate) struct Cli {
    /// Print results as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

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
#[command(after_help = help::DEMO)]
pub(crate) struct DemoArgs {
    /// Keep serving after the last result, until Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Use this GGUF file in place of the bundled pocket model.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = help::SERVE)]
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
    /// Queue a dead task again, when what kept it from being done is mended.
    Retry(TaskArgs),
}

#[derive(Args)]
#[command(after_help = help::SUBMIT)]
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
#[command(after_help = help::ENQUEUE)]
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
#[command(after_help = help::VALIDATE)]
pub(crate) struct ValidateArgs {
    /// Agents' files or folders of them; without any, what the configuration names.
    #[arg(value_name = "PATHS")]
    pub(crate) paths: Vec<PathBuf>,
    /// The configuration to check as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = help::EVAL)]
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
