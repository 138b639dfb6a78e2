//! What drafts cost and gain on a large model, one sequence at a time, when so many of its tokens copy what it has read: the
//! model computes every row, and a script says what comes of it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use inference::backend::{Backend, BackendError, BackendMemory, Logits, ModelInput};
use inference::{
    CacheSalt, EngineConfig, EngineHandle, EngineMetrics, Event, GenerateRequest, LoadOptions, Model, SamplingParams,
    TokenId, engine,
};

use crate::row::Row;
use crate::{Error, Options};

const PROMPT_TOKENS: usize = 300;
const NEW_TOKENS: usize = 128;
/// Per cent of the new tokens that follow what stands in the prompt; the others are somewhere else in it, or nowhere.
const COPIED: [u64; 4] = [0, 50, 80, 95];

/// By position.
type Script = Arc<Mutex<Vec<TokenId>>>;

pub(crate) async fn run(options: &Options) -> Result<Vec<Row>, Error> {
    let script = Script::default();
    let (drafting, plain) =
        (start(EngineConfig::default().max_draft_tokens, &script, options)?, start(0, &script, options)?);
    let mut rows = Vec::new();
    for copied in COPIED {
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..options.rounds as u64 {
            *script.lock().map_err(|error| error.to_string())? = write(copied, round);
            let mut engines = [(0, &drafting), (1, &plain)];
            if round % 2 == 1 {
                engines.reverse();
            }
            for (column, engine) in engines {
                rates[column].push(rate(engine, &script, copied * 100 + round).await?);
            }
        }
        rows.push(Row::of_medians(format!("drafts, {copied} % copied"), "tokens/s", ["drafts", "plain"], rates));
    }
    Ok(rows)
}

/// A prompt of random tokens, and an answer that copies from it, now and then from another place.
fn write(copied: u64, seed: u64) -> Vec<TokenId> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ copied;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut tokens: Vec<TokenId> = (0..PROMPT_TOKENS).map(|_| TokenId(1000 + below(20_000) as u32)).collect();
    let mut from = 0;
    for _ in 0..=NEW_TOKENS {
        if below(100) < copied {
            tokens.push(tokens[from]);
            from = (from + 1) % PROMPT_TOKENS;
        } else {
            tokens.push(TokenId(1000 + below(20_000) as u32));
            from = below(PROMPT_TOKENS as u64) as usize;
        }
    }
    tokens
}

/// New tokens per second, after the prompt.
async fn rate(engine: &EngineHandle, script: &Script, salt: u64) -> Result<f64, Error> {
    let expected = script.lock().map_err(|error| error.to_string())?.clone();
    let mut generation = engine.generate(GenerateRequest {
        prompt: expected[..PROMPT_TOKENS].to_vec(),
        params: SamplingParams::greedy(NEW_TOKENS),
        cache_salt: CacheSalt(salt),
        ..GenerateRequest::default()
    })?;
    let (mut began, mut tokens) = (None, Vec::new());
    while let Some(event) = generation.next().await {
        match event {
            Event::Token { id, .. } => tokens.push(id),
            Event::Finished { .. } => break,
        }
        began.get_or_insert_with(Instant::now);
    }
    if tokens != expected[PROMPT_TOKENS..][..NEW_TOKENS] {
        return Err("the engine left the script".into());
    }
    let began = began.ok_or("no token came")?;
    Ok((NEW_TOKENS - 1) as f64 / began.elapsed().as_secs_f64())
}

fn start(max_draft_tokens: usize, script: &Script, options: &Options) -> Result<EngineHandle, Error> {
    let load = LoadOptions { threads: Some(options.threads), ..LoadOptions::default() };
    let inner = Model::load_with(&options.model, load)?.into_backend();
    let metrics = EngineMetrics::register(&prometheus::Registry::new())?;
    let config = EngineConfig { max_draft_tokens, ..EngineConfig::default() };
    Ok(engine::start(Scripted { inner, script: script.clone() }, config, metrics)?)
}

struct Scripted {
    inner: Box<dyn Backend>,
    script: Script,
}

impl Backend for Scripted {
    fn allocate(&mut self, num_blocks: usize) -> Result<(), BackendError> {
        self.inner.allocate(num_blocks)
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        self.inner.forward(input, logits)?;
        let script = self.script.lock().map_err(|error| BackendError(error.to_string()))?;
        let ends = input.spans.iter().flat_map(|span| {
            let end = span.position + span.num_rows;
            end + 1 - span.num_logits..=end
        });
        for (row, end) in logits.values.chunks_exact_mut(logits.vocab_size).zip(ends) {
            row.fill(0.0);
            if let Some(logit) = script.get(end).and_then(|next| row.get_mut(next.0 as usize)) {
                *logit = 1.0;
            }
        }
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        self.inner.vocab_size()
    }

    fn context_len(&self) -> usize {
        self.inner.context_len()
    }

    fn kv_bytes_per_token(&self) -> u64 {
        self.inner.kv_bytes_per_token()
    }

    fn memory(&self) -> BackendMemory {
        self.inner.memory()
    }
}
