//! A sequence as the scheduler sees it: three numbers tell where it stands. No tensors, no channels.

use types::TaskClass;

use crate::backend::BlockId;
use crate::tokenizer::TokenId;

/// One request's number inside the engine; it only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SequenceId(pub(crate) u64);

/// `[0, num_computed)` is in the KV, `[num_computed, tokens.len())` is still to be computed, and it never grows past
/// `max_tokens`.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    pub(crate) class: TaskClass,
    pub(crate) tokens: Vec<TokenId>,
    pub(crate) num_computed: usize,
    pub(crate) max_tokens: usize,
    /// Where its keys and values are; none while it waits.
    pub(crate) blocks: Vec<BlockId>,
}

impl Sequence {
    pub(crate) fn new(id: SequenceId, class: TaskClass, prompt: Vec<TokenId>, max_new_tokens: usize) -> Self {
        let max_tokens = prompt.len() + max_new_tokens;
        Sequence { id, class, tokens: prompt, num_computed: 0, max_tokens, blocks: Vec::new() }
    }

    pub(crate) fn num_pending(&self) -> usize {
        self.tokens.len() - self.num_computed
    }

    pub(crate) fn is_full(&self) -> bool {
        self.tokens.len() >= self.max_tokens
    }
}
