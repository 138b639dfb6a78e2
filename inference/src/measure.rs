//! How fast a backend is under an engine of its own. For benchmarks; it never looks at what is written.

use std::time::Instant;

use futures::FutureExt;

use crate::backend::{BLOCK_TOKENS, Backend};
use crate::engine::{
    self, CacheSalt, EngineConfig, EngineHandle, EngineMetrics, Event, GenerateRequest, Generation, InvalidConfig,
    Refused, SamplingParams,
};
use crate::tokenizer::TokenId;

/// Prompt of a sequence whose decoding is measured, unless it is about long ones.
const SHORT_CONTEXT: usize = 16;
/// Tokens that sequences may write before and after those that are timed.
const SPARE_TOKENS: usize = 256;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reading one prompt.
    Prefill {
        /// Its length.
        tokens: usize,
    },
    /// Writing, in several sequences at once.
    Decode {
        /// How many.
        sequences: usize,
        /// Tokens of each that are read already, and not timed.
        context: usize,
        /// Tokens that each writes.
        tokens: usize,
    },
}

impl Work {
    /// What is usually told of an engine: a prompt of 512 tokens, then 1, 8 and 16 sequences of 64 new tokens.
    pub const USUAL: [Work; 4] = [Work::Prefill { tokens: 512 }, Work::short(1), Work::short(8), Work::short(16)];
    /// Eight sequences that go on from 4,096 tokens each.
    pub const LONG: Work = Work::Decode { sequences: 8, context: 4096, tokens: 32 };

    const fn short(sequences: usize) -> Work {
        Work::Decode { sequences, context: SHORT_CONTEXT, tokens: 64 }
    }

    /// Such as `prefill 512`, `decode x 8` or `decode x 8 at 4096`.
    pub fn name(&self) -> String {
        match self {
            Work::Prefill { tokens } => format!("prefill {tokens}"),
            Work::Decode { sequences, context: SHORT_CONTEXT, .. } => format!("decode x {sequences}"),
            Work::Decode { sequences, context, .. } => format!("decode x {sequences} at {context}"),
        }
    }

    /// The same, in as much of a shorter context as there is.
    pub fn within(self, context_len: usize) -> Work {
        match self {
            Work::Prefill { tokens } => Work::Prefill { tokens: tokens.min(context_len.saturating_sub(1)) },
            Work::Decode { sequences, context, tokens } => {
                let longest = context_len.saturating_sub(tokens + SPARE_TOKENS).max(1);
                Work::Decode { sequences, context: context.min(longest), tokens }
            }
        }
    }

    fn sequences(&self) -> usize {
        match self {
            Work::Prefill { .. } => 1,
            Work::Decode { sequences, .. } => *sequences,
        }
    }

    /// Tokens whose keys and values are held at the same time, in whole blocks.
    fn kv_tokens(&self) -> usize {
        let each = match self {
            Work::Prefill { tokens } => tokens + 1,
            Work::Decode { context, tokens, .. } => context + tokens + SPARE_TOKENS,
        };
        self.sequences() * each.next_multiple_of(BLOCK_TOKENS)
    }
}

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The engine did not start.
    #[error(transparent)]
    Start(#[from] InvalidConfig),
    /// Its metrics were not taken.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The model's context is shorter than the work.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It ended too early, or failed.
    #[error("the engine gave {0} in place of a token; measure on a machine that does nothing else")]
    NoToken(String),
}

/// An engine that does nothing but what is measured.
pub struct Meter {
    engine: EngineHandle,
    vocab_size: usize,
    num_runs: u64,
}

impl Meter {
    /// Starts an engine with room for the largest of `works`, and warms it up.
    pub fn start(backend: Box<dyn Backend>, works: &[Work]) -> Result<Meter, MeasureError> {
        let warm_up = Work::Decode { sequences: 1, context: SHORT_CONTEXT, tokens: 4 };
        let works = || works.iter().chain([&warm_up]);
        let default = EngineConfig::default();
        let config = EngineConfig {
            max_num_seqs: works().map(Work::sequences).fold(default.max_num_seqs, usize::max),
            kv_cache_bytes: works().map(Work::kv_tokens).fold(0, usize::max) as u64 * backend.kv_bytes_per_token(),
            // Every step gives each sequence one token, whatever the tokens are.
            max_draft_tokens: 0,
            ..default
        };
        let vocab_size = backend.vocab_size();
        let metrics = EngineMetrics::register(&prometheus::Registry::new())?;
        let mut meter = Meter { engine: engine::start(backend, config, metrics)?, vocab_size, num_runs: 0 };
        meter.run(warm_up)?;
        Ok(meter)
    }

    /// Tokens per second, of all sequences together. No run finds anything of an earlier one in the prefix cache. Blocks
    /// the thread.
    pub fn run(&mut self, work: Work) -> Result<f64, MeasureError> {
        self.num_runs += 1;
        let tokens_per_second = match work {
            Work::Prefill { tokens } => self.prefill(tokens),
            Work::Decode { sequences, context, tokens } => self.decode(sequences, context, tokens),
        }?;
        // What was dropped is out of the engine by the time that this is through.
        next_token(&mut self.submit(0, 1, 1)?)?;
        Ok(tokens_per_second)
    }

    fn prefill(&self, tokens: usize) -> Result<f64, MeasureError> {
        let began = Instant::now();
        next_token(&mut self.submit(0, tokens, 1)?)?;
        Ok(tokens as f64 / began.elapsed().as_secs_f64())
    }

    fn decode(&self, sequences: usize, context: usize, tokens: usize) -> Result<f64, MeasureError> {
        // Once read, prompts are in the prefix cache, and all sequences begin to write in nearly the same step.
        for sequence in 0..sequences {
            next_token(&mut self.submit(sequence, context, 1)?)?;
        }
        let submit = |sequence| self.submit(sequence, context, tokens + SPARE_TOKENS);
        let mut generations = (0..sequences).map(submit).collect::<Result<Vec<_>, _>>()?;
        generations.iter_mut().try_for_each(next_token)?;
        // Every step gives each sequence a token, so one tells of all; the first one's are the first to come.
        let Some(first) = generations.first_mut() else { return Ok(0.0) };
        while let Some(Some(Event::Token { .. })) = first.next().now_or_never() {}
        next_token(first)?;
        let began = Instant::now();
        for _ in 0..tokens {
            next_token(first)?;
        }
        Ok((sequences * tokens) as f64 / began.elapsed().as_secs_f64())
    }

    fn submit(&self, sequence: usize, length: usize, max_new_tokens: usize) -> Result<Generation, Refused> {
        self.engine.generate(GenerateRequest {
            prompt: prompt(sequence, length, self.vocab_size),
            params: SamplingParams::greedy(max_new_tokens),
            cache_salt: CacheSalt(self.num_runs),
            ..GenerateRequest::default()
        })
    }
}

fn next_token(generation: &mut Generation) -> Result<(), MeasureError> {
    match generation.blocking_next() {
        Some(Event::Token { .. }) => Ok(()),
        Some(Event::Finished { reason, .. }) => Err(MeasureError::NoToken(format!("{reason:?}"))),
        None => Err(MeasureError::NoToken("nothing".to_owned())),
    }
}

/// Tokens that differ from sequence to sequence, of the upper half of the vocabulary: control tokens are in the lower.
fn prompt(sequence: usize, length: usize, vocab_size: usize) -> Vec<TokenId> {
    let first = vocab_size / 2;
    let token = |index| first + (sequence * 7919 + index * 104_729) % (vocab_size - first);
    (0..length).map(|index| TokenId(token(index) as u32)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use gguf::Format;
    use gguf::synth::{Mix, Preset, RandomModel};

    use super::*;
    use crate::backend::{BackendError, BackendMemory, Logits, ModelInput};
    use crate::model::Model;

    type Passes = Arc<Mutex<Vec<ModelInput>>>;

    /// Notes what it computes.
    struct Noting {
        backend: Box<dyn Backend>,
        passes: Passes,
    }

    impl Backend for Noting {
        fn allocate(&mut self, num_blocks: usize) -> Result<(), BackendError> {
            self.backend.allocate(num_blocks)
        }

        fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
            self.passes.lock().unwrap().push(input.clone());
            self.backend.forward(input, logits)
        }

        fn vocab_size(&self) -> usize {
            self.backend.vocab_size()
        }

        fn context_len(&self) -> usize {
            self.backend.context_len()
        }

        fn kv_bytes_per_token(&self) -> u64 {
            self.backend.kv_bytes_per_token()
        }

        fn memory(&self) -> BackendMemory {
            self.backend.memory()
        }
    }

    fn meter(work: Work) -> (Meter, Passes) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let model = RandomModel::new(Preset::Small, Mix::All(Format::Q8_0), 1);
        model.write(&mut file.as_file(), |_, _| {}).unwrap();
        let backend = Model::load(file.path()).unwrap().into_backend();
        let passes = Passes::default();
        let meter = Meter::start(Box::new(Noting { backend, passes: passes.clone() }), &[work]).unwrap();
        (meter, passes)
    }

    #[test]
    fn every_prompt_is_read_anew_and_whole() {
        let work = Work::Prefill { tokens: 200 };
        let (mut meter, passes) = meter(work);
        for _ in 0..3 {
            assert!(meter.run(work).unwrap() > 0.0);
        }
        let passes = passes.lock().unwrap();
        let whole = passes.iter().flat_map(|pass| &pass.spans).filter(|span| span.num_rows == 200);
        assert_eq!(whole.count(), 3);
    }

    #[test]
    fn sequences_are_written_together_and_share_no_blocks() {
        let work = Work::Decode { sequences: 6, context: 100, tokens: 40 };
        let (mut meter, passes) = meter(work);
        for _ in 0..2 {
            assert!(meter.run(work).unwrap() > 0.0);
        }
        let passes = passes.lock().unwrap();
        let together = |pass: &&ModelInput| pass.spans.len() == 6 && pass.token_ids.len() == 6;
        let mut num_together = 0;
        for pass in passes.iter().filter(together) {
            let blocks: BTreeSet<_> = pass.block_ids.iter().collect();
            assert_eq!(blocks.len(), pass.block_ids.len());
            num_together += 1;
        }
        assert!(num_together >= 2 * 40, "{num_together}");
    }

    #[test]
    fn work_is_cut_to_the_context() {
        let [prefill, decode] = [Work::USUAL[0], Work::LONG].map(|work| work.within(512).name());
        assert_eq!([prefill.as_str(), &decode], ["prefill 511", "decode x 8 at 224"]);
        assert_eq!(Work::LONG.within(32_768), Work::LONG);
    }
}
