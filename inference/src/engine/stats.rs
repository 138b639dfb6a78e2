//! What the engine shows of itself to other threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::command::GenerateRequest;
use super::config::EngineConfig;
use super::handle::Refused;
use crate::backend::BLOCK_TOKENS;
use crate::tokenizer::TokenId;

/// A picture of the engine after its last step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EngineStats {
    /// Sequences that hold KV.
    pub running: usize,
    /// Sequences accepted and not yet admitted, or preempted.
    pub waiting: usize,
    /// Tokens of KV, in whole blocks, that running sequences hold.
    pub kv_tokens_used: usize,
    /// Tokens of KV that nobody holds, kept for prompts that begin alike until the room is needed.
    pub kv_tokens_cached: usize,
    /// Tokens of KV that hold nothing.
    pub kv_tokens_free: usize,
    /// Steps that were begun, since the start.
    pub steps: u64,
    /// Moving average of a step's time.
    pub step_time: Duration,
}

impl EngineStats {
    /// A step took `elapsed`: one part in ten of the average.
    pub(super) fn observe_step(&mut self, elapsed: Duration) {
        self.step_time = if self.steps == 0 { elapsed } else { self.step_time.mul_f64(0.9) + elapsed.mul_f64(0.1) };
        self.steps += 1;
    }
}

/// When the engine last came round its loop.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    start: Instant,
    last_micros: AtomicU64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Heartbeat { start: Instant::now(), last_micros: AtomicU64::new(0) }
    }
}

impl Heartbeat {
    pub(crate) fn beat(&self) {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_micros.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn age(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_micros(self.last_micros.load(Ordering::Relaxed)))
    }
}

/// What a request is checked against before it is accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Prompt and answer together: the model's context or all blocks, whichever is smaller.
    pub(crate) max_sequence_tokens: usize,
    pub(crate) vocab_size: usize,
    pub(crate) max_waiting: usize,
}

impl Limits {
    pub(super) fn new(config: &EngineConfig, context_len: usize, num_blocks: usize, vocab_size: usize) -> Self {
        Limits {
            max_sequence_tokens: context_len.min(num_blocks * BLOCK_TOKENS),
            vocab_size,
            max_waiting: config.max_waiting,
        }
    }

    pub(crate) fn max_prompt_tokens(&self) -> usize {
        self.max_sequence_tokens.saturating_sub(1)
    }

    pub(crate) fn check(&self, prompt: &[TokenId]) -> Result<(), Refused> {
        if prompt.is_empty() {
            return Err(Refused::Empty);
        }
        if let Some(id) = prompt.iter().find(|id| id.0 as usize >= self.vocab_size) {
            return Err(Refused::UnknownToken { id: id.0, vocab_size: self.vocab_size });
        }
        if prompt.len() > self.max_prompt_tokens() {
            return Err(Refused::TooLong { tokens: prompt.len(), max: self.max_prompt_tokens() });
        }
        Ok(())
    }

    /// The request's own limit, or what the prompt leaves of the sequence.
    pub(crate) fn max_new_tokens(&self, request: &GenerateRequest) -> usize {
        request.params.max_new_tokens.min(self.max_sequence_tokens - request.prompt.len())
    }
}

/// Shared between the engine's thread and its handles.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) heartbeat: Arc<Heartbeat>,
    /// What was accepted ends at the next round; set before `Command::Close`, or later, while a drain is under way.
    pub(crate) stop_now: AtomicBool,
    stats: Mutex<EngineStats>,
}

impl Shared {
    pub(super) fn new(limits: Limits, heartbeat: Arc<Heartbeat>) -> Self {
        Shared { limits, heartbeat, stop_now: AtomicBool::new(false), stats: Mutex::default() }
    }

    pub(crate) fn stats(&self) -> EngineStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, stats: EngineStats) {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }
}
