//! A sequence as the scheduler sees it: three numbers tell where it stands. No tensors, no channels.

use types::TaskClass;

use super::block_manager::{BlockTable, CacheSalt};
use crate::backend::BLOCK_TOKENS;
use crate::tokenizer::TokenId;

/// Tokens of answer that admission keeps room for; what goes on for longer takes its chances.
const HEADROOM_TOKENS: usize = 256;
/// After so many preemptions, a sequence gets all the room it can ever use before it runs again, and then keeps it.
const MAX_PREEMPTIONS: u32 = 2;

/// One request's name inside the engine. The smaller goes first: the more urgent, of a class the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SequenceId {
    pub(crate) class: TaskClass,
    /// Only grows.
    pub(crate) number: u64,
}

/// `[0, num_computed)` is in the KV, `[num_computed, tokens.len())` is still to be computed, and it never grows past
/// `max_tokens`.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    pub(crate) tokens: Vec<TokenId>,
    pub(crate) num_computed: usize,
    pub(crate) max_tokens: usize,
    pub(crate) salt: CacheSalt,
    /// Empty while it waits.
    pub(crate) table: BlockTable,
    pub(crate) num_preemptions: u32,
    /// Blocks that admission has counted on, whether it has them yet or not.
    pub(crate) num_reserved: usize,
    /// Whether all before its last tokens is computed, so that it moves in every step.
    pub(crate) is_decoding: bool,
    /// So many of `tokens`, at their end, are only guessed; for the time of one step.
    pub(crate) num_drafts: usize,
}

impl Sequence {
    pub(crate) fn new(id: SequenceId, prompt: Vec<TokenId>, max_new_tokens: usize, salt: CacheSalt) -> Self {
        Sequence {
            id,
            max_tokens: prompt.len() + max_new_tokens,
            tokens: prompt,
            num_computed: 0,
            salt,
            table: BlockTable::new(salt),
            num_preemptions: 0,
            num_reserved: 0,
            is_decoding: false,
            num_drafts: 0,
        }
    }

    pub(crate) fn num_pending(&self) -> usize {
        self.tokens.len() - self.num_computed
    }

    /// Guesses that leave room for the token after them.
    pub(crate) fn max_drafts(&self) -> usize {
        self.max_tokens.saturating_sub(self.tokens.len() + 1)
    }

    /// Adds a guess of what comes next.
    pub(crate) fn push_drafts(&mut self, drafts: &[TokenId]) {
        self.tokens.extend_from_slice(drafts);
        self.num_drafts += drafts.len();
    }

    /// Takes back all guesses but the first `num_accepted`.
    pub(crate) fn settle_drafts(&mut self, num_accepted: usize) {
        let num_refused = self.num_drafts.saturating_sub(num_accepted);
        self.tokens.truncate(self.tokens.len() - num_refused);
        self.num_drafts = 0;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.tokens.len() >= self.max_tokens
    }

    /// Whether it has been preempted so often that it is not to be any more.
    pub(crate) fn is_protected(&self) -> bool {
        self.num_preemptions >= MAX_PREEMPTIONS
    }

    /// Blocks that it needs to be admitted.
    pub(crate) fn num_blocks_wanted(&self) -> usize {
        let headroom = if self.is_protected() { usize::MAX } else { HEADROOM_TOKENS };
        self.tokens.len().saturating_add(headroom).min(self.max_tokens).div_ceil(BLOCK_TOKENS)
    }

    /// Reserved blocks that it does not have yet.
    pub(crate) fn num_blocks_due(&self) -> usize {
        self.num_reserved.saturating_sub(self.table.blocks.len())
    }
}
