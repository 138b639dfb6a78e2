//! The command line: what can be asked, and the help that teaches it.

mod operate;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use gguf::Format;
use gguf::synth::{Mix, Preset};
use inference::{BackendChoice, KvKind};
use types::{AgentName, ProcessRole, TaskClass, TaskId, TaskState};

use crate::help;
pub(crate) use operate::*;

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
    /// Look at dead letters: tasks that could not be finished; queue them again or forget them.
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Look at what waits; pause and go on.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at teams and weigh them.
    #[command(subcommand)]
    Team(TeamCommand),
    /// Look at messages that tell of ended tasks, and send dead ones again.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Look at agents and check their files.
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Talk to a model: one of the configuration in this process, or one on a server.
    Chat(ChatArgs),
    /// Fetch models, look at their files, check them, measure them, or make some.
    #[command(subcommand)]
    Model(ModelCommand),
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
    /// Which parts run here: all, or of an installation on PostgreSQL and Redis api (REST), worker (agents) or engine (models).
    #[arg(long, default_value_t)]
    pub(crate) role: ProcessRole,
    /// How long a server that this one needs is waited for at the start, each of them.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u32,
}

/// Which server a command talks to, and as whom.
#[derive(Args, Clone)]
pub(crate) struct ServerArgs {
    /// The server.
    #[arg(long, env = "TALON_URL", default_value = "http://127.0.0.1:8400", value_name = "URL")]
    pub(crate) url: String,
    /// The API key, where the server asks for one; better in TALON_API_KEY, which nobody else sees.
    #[arg(long, env = "TALON_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) key: Option<String>,
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
    /// Say why a task waits, and about how long yet.
    Explain(TaskArgs),
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
    /// Only tasks of this class: interactive, normal or batch.
    #[arg(long)]
    pub(crate) class: Option<TaskClass>,
    /// Go on behind this one: what the page before ended with.
    #[arg(long, value_name = "ID")]
    pub(crate) cursor: Option<TaskId>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
#[command(after_help = help::ENQUEUE)]
pub(crate) struct EnqueueArgs {
    /// Who works on the files; with --ndjson, on the lines that name nobody.
    #[arg(long, required_unless_present = "ndjson")]
    pub(crate) agent: Option<AgentName>,
    /// Files, and folders with all files below them (PDF and text).
    #[arg(required_unless_present = "ndjson", value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Take tasks from this file instead, or from standard input (-): on each line an object as POST /v1/tasks takes it;
    /// agent, class and input may be left out, and name is what the results call it.
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    pub(crate) ndjson: Option<PathBuf>,
    /// Write the results here: .csv or .jsonl. Without it they are printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Keep the run here, so that the same command goes on with it; beside --out (with .run behind its name) unless given.
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
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
#[command(after_help = help::CHAT)]
pub(crate) struct ChatArgs {
    /// A model of the configuration, or a GGUF file; with --url, a model of that server. Without it, the first one.
    #[arg(value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Ask this OpenAI-compatible server, and load nothing.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(crate) url: Option<String>,
    /// The API key, where that server asks for one; better in TALON_API_KEY, which nobody else sees.
    #[arg(long, env = "TALON_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// What the model is told before everything else.
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// 0 says what is most probable, the same each time; higher is more varied.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.7, value_parser = temperature)]
    pub(crate) temperature: f32,
    /// Tokens of one reply at most.
    #[arg(long, value_name = "TOKENS", default_value_t = NonZeroUsize::new(1024).expect("not zero"))]
    pub(crate) max_tokens: NonZeroUsize,
    /// The configuration; without it `TALON_CONFIG`, then config/talon.yml, then defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

fn temperature(text: &str) -> Result<f32, &'static str> {
    let temperature = text.parse().ok().filter(|value| (0.0..=2.0).contains(value));
    temperature.ok_or("a temperature is a number from 0 to 2")
}

#[derive(Subcommand)]
pub(crate) enum ModelCommand {
    /// Fetch a model from the Hugging Face hub, and pin what came.
    Pull(PullArgs),
    /// Show what a model file holds: dimensions, formats, tokenizer, memory.
    Inspect(InspectArgs),
    /// Check a model file from its header to the tokens that it writes.
    Verify(VerifyArgs),
    /// Measure how fast a model runs here, and how fast this machine could run it at most.
    Bench(BenchArgs),
    /// Write a model of random weights, of any shape and format, to measure with.
    Synth(SynthArgs),
}

#[derive(Args)]
#[command(after_help = help::PULL)]
pub(crate) struct PullArgs {
    /// A model of the configuration, or ORGANISATION/NAME or ORGANISATION/NAME:FILE of the hub; without it, every hub
    /// model configured.
    #[arg(value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Take what the hub has now, and pin that.
    #[arg(long)]
    pub(crate) update: bool,
    /// The configuration; without it `TALON_CONFIG`, then config/talon.yml, then defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = help::INSPECT)]
pub(crate) struct InspectArgs {
    /// The model: a .gguf file, or a folder in Hugging Face's layout.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// List every tensor.
    #[arg(long)]
    pub(crate) tensors: bool,
    /// Tell the memory for so many tokens of context, over all sequences together; the model's own context if absent.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) context: Option<u64>,
}

#[derive(Args)]
#[command(after_help = help::VERIFY)]
pub(crate) struct VerifyArgs {
    /// The model: a .gguf file, or a folder in Hugging Face's layout.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The file's SHA-256, 64 hexadecimal digits, as its publisher tells it.
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub(crate) sha256: Option<String>,
}

#[derive(Args)]
#[command(after_help = help::BENCH)]
pub(crate) struct BenchArgs {
    /// The model; without it, the bundled one.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Measure eight sequences that go on from 4,096 tokens each, too.
    #[arg(long)]
    pub(crate) long: bool,
    /// Runs of each; figures are their medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Threads of the packed backend; all cores if absent. Candle's are `CANDLE_NUM_THREADS` of the environment.
    #[arg(long)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// How the packed backend keeps keys and values.
    #[arg(long, default_value = "f16", value_parser = one_of(KV_KINDS))]
    pub(crate) kv: KvKind,
    /// What computes; auto is packed where that runs.
    #[arg(long, default_value = "auto", value_parser = one_of(BACKENDS))]
    pub(crate) backend: BackendChoice,
}

#[derive(Args)]
#[command(after_help = help::SYNTH)]
pub(crate) struct SynthArgs {
    /// Its dimensions: the bundled model's, a test's, TinyLlama's or Mistral 7B's.
    #[arg(long, value_parser = one_of(Preset::ALL.map(|preset| (preset.name(), preset))))]
    pub(crate) shape: Preset,
    /// The format of its matrices; q4_k_m is Q4_K with Q6_K where it matters most.
    #[arg(long, ignore_case = true, value_parser = one_of(MIXES))]
    pub(crate) format: Mix,
    /// Another seed, another model; the same one, the same bytes.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The file to write, which must not be there yet.
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
}

/// Ways to keep keys and values.
pub(crate) const KV_KINDS: [(&str, KvKind); 2] = [("f16", KvKind::F16), ("int8", KvKind::Int8)];

/// Backends.
pub(crate) const BACKENDS: [(&str, BackendChoice); 3] =
    [("auto", BackendChoice::Auto), ("packed", BackendChoice::Packed), ("candle", BackendChoice::Candle)];

/// Formats of a model's matrices.
pub(crate) const MIXES: [(&str, Mix); 9] = [
    ("q4_k_m", Mix::Q4KM),
    ("q4_0", Mix::All(Format::Q4_0)),
    ("q8_0", Mix::All(Format::Q8_0)),
    ("q4_k", Mix::All(Format::Q4K)),
    ("q5_k", Mix::All(Format::Q5K)),
    ("q6_k", Mix::All(Format::Q6K)),
    ("f16", Mix::All(Format::F16)),
    ("bf16", Mix::All(Format::BF16)),
    ("f32", Mix::All(Format::F32)),
];

/// What goes by this name in a list of [`one_of`]'s.
pub(crate) fn name_of<T: PartialEq>(values: &[(&'static str, T)], value: T) -> &'static str {
    values.iter().find(|(_, one)| *one == value).map_or("", |(name, _)| name)
}

/// A value by its name.
fn one_of<T, const N: usize>(values: [(&'static str, T); N]) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(values.map(|(name, _)| name)).try_map(move |name| {
        let named = values.iter().find(|(one, _)| one.eq_ignore_ascii_case(&name));
        named.map(|(_, value)| *value).ok_or("no such value")
    })
}

fn sha256(text: &str) -> Result<String, &'static str> {
    match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("a SHA-256 has 64 hexadecimal digits"),
    }
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
