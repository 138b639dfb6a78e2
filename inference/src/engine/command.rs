//! Everything that can be said to the engine, and everything it answers.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use types::TaskClass;

use super::block_manager::CacheSalt;
use super::params::SamplingParams;
use super::sampler::Logprobs;
use crate::grammar::Grammar;
use crate::tokenizer::TokenId;

/// What a caller wants generated.
pub struct GenerateRequest {
    /// The whole prompt, control tokens included.
    pub prompt: Vec<TokenId>,
    /// How tokens are chosen and how many at most.
    pub params: SamplingParams,
    /// What the output must look like; none means anything.
    pub grammar: Option<Grammar>,
    /// Decides the order of waiting.
    pub class: TaskClass,
    /// The sequence ends at this moment, wherever it stands.
    pub deadline: Option<Instant>,
    /// Whose prompts it may share computed prefixes with: one salt per tenant.
    pub cache_salt: CacheSalt,
}

impl Default for GenerateRequest {
    /// To be filled in: nothing to continue, one token, greedily, no hurry.
    fn default() -> Self {
        GenerateRequest {
            prompt: Vec::new(),
            params: SamplingParams::greedy(1),
            grammar: None,
            class: TaskClass::default(),
            deadline: None,
            cache_salt: CacheSalt::default(),
        }
    }
}

/// Tokens read and written by one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Length of the prompt.
    pub prompt_tokens: usize,
    /// Those of them that the prefix cache had.
    pub cached_tokens: usize,
    /// Tokens generated, a closing stop token included.
    pub completion_tokens: usize,
}

/// Why a sequence ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// A stop token, or the grammar is complete.
    Stop,
    /// `max_new_tokens` or the context is used up.
    Length,
    /// The request's deadline passed.
    Deadline,
    /// The engine was told to stop.
    Stopped,
    /// The step failed; the text says how.
    Failed(String),
}

impl FinishReason {
    /// The name in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Deadline => "deadline",
            FinishReason::Stopped => "stopped",
            FinishReason::Failed(_) => "failed",
        }
    }
}

/// What comes back: any number of tokens, then exactly one `Finished`.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The next token.
    Token {
        /// Which.
        id: TokenId,
        /// Present if the request asks for them.
        logprobs: Option<Logprobs>,
    },
    /// The end; nothing follows.
    Finished {
        /// Why.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
}

/// Everything that wakes the engine. Aborting needs no command: a closed receiver is one.
pub(crate) enum Command {
    Submit(Box<Submission>),
    /// Finish what was accepted, then end; `Shared::stop_now` says whether to end it now, as `Stopped`.
    Close,
}

/// A request that the engine has accepted.
pub(crate) struct Submission {
    pub(crate) request: GenerateRequest,
    /// Has room for all tokens and the end: the engine never waits for a reader.
    pub(crate) events: mpsc::Sender<Event>,
    /// Its place among the waiting; given back on admission.
    pub(crate) place: OwnedSemaphorePermit,
    pub(crate) accepted_at: Instant,
    /// Where the engine notes how much of the prompt it had, for whoever goes away before the end.
    pub(crate) cached_tokens: Arc<AtomicUsize>,
}
