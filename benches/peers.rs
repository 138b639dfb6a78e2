//! The engine against llama.cpp and candle-transformers' `quantized_llama`: the same file, the same threads, one run.
//!
//!     make bench-peers                                  # the 1.1 B shape in Q4_K_M, Q4_0 and Q8_0
//!     make bench-peers SHAPES="1b 7b" ROUNDS=3 LONG=1   # Mistral 7B's shape too, and long contexts
//!     make bench-peers MODELS="/models/mistral.gguf"    # files of your own
//!     cargo bench --bench peers -- --llama FOLDER [--model PATH]... [--rounds N] [--threads N] [--long]
//!
//! In each round every program loads the file anew and does all the work, so a machine whose speed drifts is fair to
//! all; candle sits out the rounds after it has spent two minutes on a file. Prefill: one prompt of 512 tokens. Decode:
//! so many sequences at once, 64 tokens each after prompts of 16, the prompts' time not counted; `--long` adds 8
//! sequences after 4,096 tokens each, or what the model's context leaves of them. Figures are medians of the rounds; a
//! table for people, then one JSON line per row. Threads of candle are `CANDLE_NUM_THREADS` of the environment, which
//! has to be the same number: `benches/peers/run.sh` sees to it.

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use candle_core::quantized::gguf_file;
use candle_core::{D, Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use inference::measure::{Meter, Work};
use inference::{LoadOptions, Model};
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let options = Options::parse()?;
    for model in &options.models {
        compare(model, &options)?;
    }
    Ok(())
}

fn compare(model: &Path, options: &Options) -> Result<(), Error> {
    let context_len = gguf::ModelFile::open(model)?.shape().context_len;
    let works = Work::USUAL.into_iter().chain(options.long.then_some(Work::LONG));
    let works: Vec<Work> = works.map(|work| work.within(context_len)).collect();
    let mut rounds = vec![[const { Vec::new() }; 3]; works.len()];
    let mut patience = PATIENCE;
    for round in 1..=options.rounds {
        eprintln!("{}: round {round} of {}", model.display(), options.rounds);
        let load = LoadOptions { threads: Some(options.threads), ..LoadOptions::default() };
        let mut talon = Meter::start(Model::load_with(model, load)?.into_backend(), &works)?;
        for (work, figures) in works.iter().zip(&mut rounds) {
            figures[0].push(talon.run(*work)?);
        }
        drop(talon);
        for (work, figures) in works.iter().zip(&mut rounds) {
            figures[1].push(llama(&options.llama, model, options.threads, *work)?);
        }
        let began = Instant::now();
        if patience > Duration::ZERO {
            let mut candle = Candle::load(model)?;
            for (work, figures) in works.iter().zip(&mut rounds) {
                figures[2].push(candle.run(*work)?);
            }
        }
        patience = patience.saturating_sub(began.elapsed());
    }
    let name = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    println!("\n{name}, {} threads, tokens/s, median of {} rounds", options.threads, options.rounds);
    println!("{:<20} {:>8} {:>10} {:>8} {:>12} {:>8}", "", "talon", "llama.cpp", "ratio", "transformers", "ratio");
    let mut lines = Vec::new();
    for (work, figures) in works.iter().zip(&mut rounds) {
        let candle_rounds = figures[2].len();
        let [talon, llama, candle] = figures.each_mut().map(|figures| median(figures));
        let (to_llama, to_candle) = (talon / llama, talon / candle);
        println!("{:<20} {talon:>8.1} {llama:>10.1} {to_llama:>8.2} {candle:>12.1} {to_candle:>8.2}", work.name());
        lines.push(json!({
            "bench": "peers", "model": name, "work": work.name(), "threads": options.threads, "rounds": options.rounds,
            "talon": talon, "llama_cpp": llama, "candle_transformers": candle, "candle_rounds": candle_rounds,
        }));
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Token ids that differ from sequence to sequence, none of them a control token.
fn prompt(sequence: usize, length: usize) -> Vec<u32> {
    (0..length).map(|index| 300 + ((sequence * 7919 + index * 104_729) % 2000) as u32).collect()
}

/// Tokens per second by llama.cpp's own count.
fn llama(folder: &Path, model: &Path, threads: NonZeroUsize, work: Work) -> Result<f64, Error> {
    let threads = threads.to_string();
    let figure = match work {
        Work::Prefill { tokens } => {
            let prompt = tokens.to_string();
            let flags = ["-p", &prompt, "-n", "0", "-r", "1", "-o", "json", "-t", &threads];
            let told: Value = serde_json::from_slice(&told(folder, "llama-bench", model, &flags)?)?;
            told[0]["avg_ts"].as_f64()
        }
        Work::Decode { sequences, context, tokens } => {
            let whole = (sequences * (context + tokens) + 512).to_string();
            let [sequences, context, tokens] = [sequences, context, tokens].map(|number| number.to_string());
            let flags = ["-npp", &context, "-ntg", &tokens, "-npl", &sequences, "-c", &whole, "-t", &threads];
            // One prompt is read, and copied to all sequences; decoding costs the same.
            let flags = [flags.as_slice(), &["-pps", "--output-format", "jsonl"]].concat();
            let told = told(folder, "llama-batched-bench", model, &flags)?;
            let line = told.split(|byte| *byte == b'\n').rfind(|line| line.starts_with(b"{"));
            serde_json::from_slice::<Value>(line.unwrap_or_default())?["speed_tg"].as_f64()
        }
    };
    figure.ok_or_else(|| "llama.cpp printed no figure".into())
}

fn told(folder: &Path, program: &str, model: &Path, flags: &[&str]) -> Result<Vec<u8>, Error> {
    let output = Command::new(folder.join(program)).arg("-m").arg(model).args(flags).output()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

struct Candle(ModelWeights);

/// After this long on one file candle is not started again: it has no fast kernels for some formats, and a median of
/// fewer rounds says enough of minutes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Contexts that candle takes too long to get to.
const LONG: usize = 1000;

impl Candle {
    fn load(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path)?;
        let content = gguf_file::Content::read(&mut file)?;
        Ok(Candle(ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?))
    }

    /// Nothing for long contexts: it reads the prompts of several sequences token by token.
    fn run(&mut self, work: Work) -> Result<f64, Error> {
        let (sequences, context, tokens) = match work {
            Work::Prefill { tokens } => {
                let began = Instant::now();
                self.next(Tensor::from_vec(prompt(0, tokens), (1, tokens), &Device::Cpu)?, 0)?;
                return Ok(tokens as f64 / began.elapsed().as_secs_f64());
            }
            Work::Decode { context: LONG.., .. } => return Ok(f64::NAN),
            Work::Decode { sequences, context, tokens } => (sequences, context, tokens),
        };
        let prompts: Vec<Vec<u32>> = (0..sequences).map(|sequence| prompt(sequence, context)).collect();
        let mut last = None;
        for position in 0..context {
            let column = prompts.iter().map(|prompt| prompt[position]).collect();
            last = Some(self.next(Tensor::from_vec(column, (sequences, 1), &Device::Cpu)?, position)?);
        }
        let mut last = last.ok_or("no prompt")?;
        let began = Instant::now();
        for position in context..context + tokens {
            last = self.next(last, position)?;
        }
        Ok((sequences * tokens) as f64 / began.elapsed().as_secs_f64())
    }

    /// The greedy tokens after those of all sequences.
    fn next(&mut self, tokens: Tensor, position: usize) -> Result<Tensor, Error> {
        Ok(self.0.forward(&tokens, position)?.argmax(D::Minus1)?.unsqueeze(1)?)
    }
}

struct Options {
    models: Vec<PathBuf>,
    llama: PathBuf,
    rounds: usize,
    threads: NonZeroUsize,
    long: bool,
}

impl Options {
    fn parse() -> Result<Self, Error> {
        let (mut models, mut llama, mut rounds, mut threads, mut long) = (Vec::new(), None, 5, None, false);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--model" => models.push(value()?.into()),
                "--llama" => llama = Some(PathBuf::from(value()?)),
                "--rounds" => rounds = value()?.parse::<usize>()?.max(1),
                "--threads" => threads = Some(value()?.parse()?),
                "--long" => long = true,
                // Cargo says this to every bench.
                "--bench" => {}
                other => {
                    return Err(format!("unknown argument {other}; the file's first lines show how to use it").into());
                }
            }
        }
        let llama = llama.ok_or("--llama FOLDER is missing: benches/peers/llama.sh builds and prints it")?;
        let threads = threads.map_or_else(std::thread::available_parallelism, Ok)?;
        Ok(Options { models, llama, rounds, threads, long })
    }
}
