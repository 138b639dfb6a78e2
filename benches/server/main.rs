//! The server as its callers see it, over HTTP and streamed: what a pool of agents gets of it beside llama.cpp's server,
//! and what cached prefixes, schemas and drafts are worth.
//!
//!     make bench-server                         # everything, on the 1.1 B shape in Q4_K_M
//!     make bench-server WORKS=pool ROUNDS=5
//!     cargo bench --bench server -- --model PATH --llama FOLDER [--rounds N] [--threads N] [WORK]...
//!
//! - `pool`: 16 callers with one system prompt of 470 tokens and a document of 120 tokens for each request, 64 new tokens
//!   each; on a fresh server, then two requests more each. llama-server has 16 slots, and both render Mistral's template.
//! - `prefix`: the first token after a prefix of 1,500 tokens that was read before, against one that was not.
//! - `schema`: an answer held to a schema against a free one of as many tokens; once with a schema that leaves the model
//!   every choice, once with one that forces most tokens.
//! - `scripted`: the large model's steps with drafts and without, when a share of the new tokens copies the prompt.
//! - `speculation`: the bundled model copying from documents, one request at a time, with drafts and without.
//!
//! Rounds alternate between what is compared, in changing order; figures are medians of the rounds. Token counts are
//! exact for models of `talon model synth`. A table for people, then one JSON line per row.

mod ask;
mod pool;
mod prefix;
mod row;
mod schema;
mod scripted;
mod serve;
mod speculation;
mod words;

use std::num::NonZeroUsize;
use std::path::PathBuf;

type Error = Box<dyn std::error::Error>;

const WORKS: [&str; 5] = ["pool", "prefix", "schema", "scripted", "speculation"];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let options = Options::parse()?;
    let mut rows = Vec::new();
    for work in &options.works {
        eprintln!("{work}");
        rows.extend(match work.as_str() {
            "pool" => pool::run(&options).await?,
            "prefix" => prefix::run(&options).await?,
            "schema" => schema::run(&options).await?,
            "scripted" => scripted::run(&options).await?,
            _ => speculation::run(&options).await?,
        });
    }
    row::print(&rows, &options);
    Ok(())
}

struct Options {
    works: Vec<String>,
    model: PathBuf,
    llama: Option<PathBuf>,
    rounds: usize,
    threads: NonZeroUsize,
}

impl Options {
    fn parse() -> Result<Self, Error> {
        let (mut works, mut model, mut llama, mut rounds, mut threads) = (Vec::new(), None, None, 3, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--model" => model = Some(PathBuf::from(value()?)),
                "--llama" => llama = Some(PathBuf::from(value()?)),
                "--rounds" => rounds = value()?.parse::<usize>()?.max(1),
                "--threads" => threads = Some(value()?.parse()?),
                // Cargo says this to every bench.
                "--bench" => {}
                work if WORKS.contains(&work) => works.push(argument),
                other => {
                    return Err(format!("unknown argument {other}; the file's first lines show how to use it").into());
                }
            }
        }
        if works.is_empty() {
            works = WORKS.map(str::to_owned).into();
        }
        let model = model.ok_or("--model PATH is missing: `talon model synth` makes one")?;
        let threads = threads.map_or_else(std::thread::available_parallelism, Ok)?;
        Ok(Options { works, model, llama, rounds, threads })
    }
}
