//! Compiled grammars by what they were compiled from: those used last, within a bound of memory. Sequences of one grammar
//! share its lexer, whose tables grow as replies are written.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use llguidance::TokenParser;

use super::Grammar;

/// More than the agents of a pool have.
const MAX_KEPT: usize = 128;
/// Of all together.
const MAX_BYTES: usize = 512 << 20;
/// Of one. Beyond it, it is compiled anew: its tables serve states that few replies come to.
const MAX_BYTES_OF_ONE: usize = 64 << 20;
/// What rules take, for each byte of what they were compiled from.
const BYTES_PER_KEY_BYTE: usize = 100;

#[derive(Default)]
pub(super) struct Kept {
    grammars: HashMap<String, Entry>,
    clock: u64,
}

struct Entry {
    grammar: Grammar,
    /// Shares the lexer, and can be asked about it.
    parser: TokenParser,
    last_used: u64,
}

impl Kept {
    pub(super) fn get(&mut self, key: &str) -> Option<Grammar> {
        self.clock += 1;
        let entry = self.grammars.get_mut(key)?;
        if entry.num_bytes(key).is_none_or(|bytes| bytes > MAX_BYTES_OF_ONE) {
            self.grammars.remove(key);
            return None;
        }
        entry.last_used = self.clock;
        let grammar = entry.grammar.clone();
        self.shrink();
        Some(grammar)
    }

    pub(super) fn insert(&mut self, key: String, grammar: Grammar, parser: TokenParser) {
        self.clock += 1;
        self.grammars.insert(key, Entry { grammar, parser, last_used: self.clock });
        self.shrink();
    }

    /// Lets the least recently used go until the others are within the bounds.
    fn shrink(&mut self) {
        let mut sizes: Vec<(u64, usize)> =
            self.grammars.iter().map(|(key, entry)| (entry.last_used, entry.num_bytes(key).unwrap_or(0))).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let mut total = 0;
        let fits = |(_, bytes): &&(u64, usize)| {
            total += bytes;
            total <= MAX_BYTES
        };
        let num_kept = sizes.iter().take(MAX_KEPT).take_while(fits).count();
        if let Some((last_dropped, _)) = sizes.get(num_kept) {
            self.grammars.retain(|_, entry| entry.last_used > *last_dropped);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.grammars.len()
    }
}

impl Entry {
    /// `None` if the lexer is of no more use: it failed, or something panicked while it was used.
    fn num_bytes(&self, key: &str) -> Option<usize> {
        let stats = catch_unwind(AssertUnwindSafe(|| self.parser.parser.lexer_stats())).ok()?;
        (!stats.error).then_some(stats.num_bytes + key.len() * BYTES_PER_KEY_BYTE)
    }
}
