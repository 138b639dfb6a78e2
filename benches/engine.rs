//! How fast is the engine, alone and with sixteen requests at once, against candle-transformers' `quantized_llama`,
//! which takes one request after the other?
//!
//!     cargo bench --bench engine -- [--model PATH] [--runs N]
//!
//! The same file, the same prompts, greedy. Prefill: prompts of 256 tokens and one token each. Decode: prompts of 16
//! tokens and 128 tokens each, the prompt's time included. Figures are medians; the ratio is to the reference with as
//! many requests. A table for people, then one JSON line per row.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::quantized::gguf_file;
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use inference::{
    EngineConfig, EngineHandle, EngineMetrics, Event, GenerateRequest, Model, ModelInfo, SamplingParams, TokenId,
};
use serde_json::json;

type Error = Box<dyn std::error::Error>;

/// What is measured: so many requests of one shape.
#[derive(Clone, Copy)]
struct Work {
    phase: &'static str,
    concurrent: usize,
    prompt_tokens: usize,
    new_tokens: usize,
}

impl Work {
    /// Tokens that the phase is about.
    fn tokens(&self) -> usize {
        self.concurrent * if self.phase == "prefill" { self.prompt_tokens } else { self.new_tokens }
    }

    fn prompts(&self, vocab_size: usize) -> Vec<Vec<TokenId>> {
        let token = |request: usize, index: usize| (request * 7919 + index * 104_729 + 13) % vocab_size;
        let prompt = |request| (0..self.prompt_tokens).map(|index| TokenId(token(request, index) as u32)).collect();
        (0..self.concurrent).map(prompt).collect()
    }
}

const WORK: [Work; 4] = [
    Work { phase: "prefill", concurrent: 1, prompt_tokens: 256, new_tokens: 1 },
    Work { phase: "prefill", concurrent: 16, prompt_tokens: 256, new_tokens: 1 },
    Work { phase: "decode", concurrent: 1, prompt_tokens: 16, new_tokens: 128 },
    Work { phase: "decode", concurrent: 16, prompt_tokens: 16, new_tokens: 128 },
];

fn main() -> Result<(), Error> {
    let options = Options::parse()?;
    let model = Model::load(&options.model)?;
    let info = model.info().clone();
    let metrics = EngineMetrics::register(&prometheus::Registry::new())?;
    let engine = inference::engine::start(model.into_backend(), EngineConfig::default(), metrics)?;
    let mut reference = Reference::load(&options.model)?;

    println!("{} ({} bytes of weights), median of {} runs", info.name, info.weight_bytes, options.runs);
    println!("{:<8} {:>10} {:>14} {:>16} {:>7}", "phase", "concurrent", "engine tok/s", "reference tok/s", "ratio");
    let mut lines = Vec::new();
    for work in WORK {
        let prompts = work.prompts(info.vocab_size);
        // The first run of each warms caches and buffers.
        run_engine(&engine, &prompts, work.new_tokens)?;
        reference.run(&prompts[..1], work.new_tokens)?;
        let engine = median(options.runs, work.tokens(), || run_engine(&engine, &prompts, work.new_tokens))?;
        let reference = median(options.runs, work.tokens(), || reference.run(&prompts, work.new_tokens))?;
        let ratio = engine / reference;
        println!("{:<8} {:>10} {engine:>14.0} {reference:>16.0} {ratio:>7.2}", work.phase, work.concurrent);
        lines.push(line(&info, work, engine, reference));
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn line(info: &ModelInfo, work: Work, engine: f64, reference: f64) -> String {
    json!({
        "bench": "engine",
        "model": info.name,
        "phase": work.phase,
        "concurrent": work.concurrent,
        "prompt_tokens": work.prompt_tokens,
        "new_tokens": work.new_tokens,
        "engine_tokens_per_second": engine.round(),
        "reference_tokens_per_second": reference.round(),
    })
    .to_string()
}

/// Tokens per second of the run in the middle.
fn median(runs: usize, tokens: usize, mut run: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        run()?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(tokens as f64 / seconds[runs / 2])
}

fn run_engine(engine: &EngineHandle, prompts: &[Vec<TokenId>], new_tokens: usize) -> Result<(), Error> {
    let submit = |prompt: &Vec<TokenId>| {
        engine.generate(GenerateRequest {
            prompt: prompt.clone(),
            params: SamplingParams::greedy(new_tokens),
            ..GenerateRequest::default()
        })
    };
    let generations = prompts.iter().map(submit).collect::<Result<Vec<_>, _>>()?;
    for mut generation in generations {
        let mut delivered = 0;
        while let Some(event) = generation.blocking_next() {
            delivered += usize::from(matches!(event, Event::Token { .. }));
        }
        if delivered != new_tokens {
            return Err(format!("the engine gave {delivered} tokens in place of {new_tokens}").into());
        }
    }
    Ok(())
}

struct Reference(ModelWeights);

impl Reference {
    fn load(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path)?;
        let content = gguf_file::Content::read(&mut file)?;
        Ok(Reference(ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?))
    }

    fn run(&mut self, prompts: &[Vec<TokenId>], new_tokens: usize) -> Result<(), Error> {
        for prompt in prompts {
            let mut tokens: Vec<u32> = prompt.iter().map(|token| token.0).collect();
            let mut position = 0;
            for _ in 0..new_tokens {
                let input = Tensor::new(tokens.as_slice(), &Device::Cpu)?.unsqueeze(0)?;
                let logits = self.0.forward(&input, position)?.flatten_all()?;
                position += tokens.len();
                tokens = vec![logits.argmax(0)?.to_scalar()?];
            }
        }
        Ok(())
    }
}

struct Options {
    model: PathBuf,
    runs: usize,
}

impl Options {
    fn parse() -> Result<Self, Error> {
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pocket/pocket.gguf");
        let mut options = Options { model: bundled, runs: 3 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--model" => options.model = value()?.into(),
                "--runs" => options.runs = value()?.parse::<usize>()?.max(3),
                // Cargo says this to every bench.
                "--bench" => {}
                other => return Err(format!("unknown argument {other}; known are --model PATH and --runs N").into()),
            }
        }
        Ok(options)
    }
}
