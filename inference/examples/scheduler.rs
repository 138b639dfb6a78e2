//! What does the engine itself cost per step, with 64 sequences that decode?
//!
//!     cargo run -p inference --example scheduler
//!
//! The backend computes nothing, so the time from the end of one pass to the beginning of the next is all the engine's:
//! sampling from 32 logits, delivery, metrics, commands, planning, block tables.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use inference::backend::{BLOCK_TOKENS, Backend, BackendError, BackendMemory, Logits, ModelInput};
use inference::{EngineConfig, EngineMetrics, GenerateRequest, Generation, SamplingParams, TokenId, engine};

const RUNNING: usize = 64;
const PROMPT_TOKENS: usize = 1000;
/// No more than admission counts on, so that blocks are full when they are meant to be.
const NEW_TOKENS: usize = 250;
const VOCAB_SIZE: usize = 32;

type Error = Box<dyn std::error::Error>;

/// Tells, at its end, how long the engine took between passes that decode all sequences.
struct Idle {
    ended: Option<Instant>,
    pauses: Vec<Duration>,
    report: Sender<Vec<Duration>>,
}

impl Backend for Idle {
    fn allocate(&mut self, _: usize) -> Result<(), BackendError> {
        Ok(())
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        let decodes = input.token_ids.len() == RUNNING && input.spans.len() == RUNNING;
        if let Some(ended) = self.ended.filter(|_| decodes) {
            self.pauses.push(ended.elapsed());
        }
        logits.vocab_size = VOCAB_SIZE;
        logits.values.clear();
        logits.values.resize(input.spans.iter().map(|span| span.num_logits).sum::<usize>() * VOCAB_SIZE, 0.0);
        self.ended = decodes.then(Instant::now);
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        VOCAB_SIZE
    }

    fn context_len(&self) -> usize {
        4 * (PROMPT_TOKENS + NEW_TOKENS)
    }

    fn kv_bytes_per_token(&self) -> u64 {
        1
    }

    fn memory(&self) -> BackendMemory {
        BackendMemory::default()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.report.send(std::mem::take(&mut self.pauses));
    }
}

fn main() -> Result<(), Error> {
    println!("{RUNNING} sequences that decode after {PROMPT_TOKENS} tokens; microseconds per step");
    println!("{:<44} {:>7} {:>7} {:>7}", "waiting", "steps", "median", "p99");
    measure("nobody", 0, RUNNING + 1)?;
    measure("256, because so many run", 256, RUNNING)?;
    measure("256, because the blocks are full", 256, RUNNING + 1)
}

fn measure(name: &str, num_waiting: usize, max_num_seqs: usize) -> Result<(), Error> {
    let (report, reported) = channel();
    let config = EngineConfig {
        max_num_seqs,
        max_num_batched_tokens: 2048,
        // Room for those that run, and for half of one more.
        kv_cache_bytes: (RUNNING * (PROMPT_TOKENS + NEW_TOKENS).next_multiple_of(BLOCK_TOKENS) + PROMPT_TOKENS / 2)
            as u64,
        max_waiting: RUNNING + 256,
        max_draft_tokens: 0,
    };
    let backend = Idle { ended: None, pauses: Vec::new(), report };
    let engine = engine::start(backend, config, EngineMetrics::register(&prometheus::Registry::new())?)?;
    // Each begins in another way, so that they share nothing.
    let token = |number: usize, index: usize| match index {
        0 => number % VOCAB_SIZE,
        1 => number / VOCAB_SIZE,
        _ => index % VOCAB_SIZE,
    };
    let request = |number: usize| GenerateRequest {
        prompt: (0..PROMPT_TOKENS).map(|index| TokenId(token(number, index) as u32)).collect(),
        params: SamplingParams::greedy(NEW_TOKENS),
        ..GenerateRequest::default()
    };
    let submit = |number| engine.generate(request(number));
    let mut running: Vec<Generation> = (0..RUNNING).map(submit).collect::<Result<_, _>>()?;
    let waiting: Vec<Generation> = (RUNNING..RUNNING + num_waiting).map(submit).collect::<Result<_, _>>()?;
    running.iter_mut().for_each(|generation| while generation.blocking_next().is_some() {});
    drop(waiting);
    drop((running, engine));
    let mut pauses = reported.recv()?;
    pauses.sort();
    let at = |share: usize| pauses[pauses.len() * share / 100].as_secs_f64() * 1e6;
    println!("{name:<44} {:>7} {:>7.1} {:>7.1}", pauses.len(), at(50), at(99));
    Ok(())
}
