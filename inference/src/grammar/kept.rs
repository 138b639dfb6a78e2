//! Compiled grammars by what they were compiled from: those used last, within a bound of memory. Sequences of one grammar
//! share its lexer, whose tables grow as replies are written.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use llguidance::TokenParser;

use super::Grammar;

/// What rules take, for each byte of what they were compiled from.
const BYTES_PER_KEY_BYTE: usize = 100;

pub(super) struct Kept {
    bounds: Bounds,
    grammars: HashMap<String, Entry>,
    clock: u64,
}

struct Bounds {
    number: usize,
    /// Of all together.
    bytes: usize,
    /// Of one. Beyond it, it is compiled anew: its tables serve states that few replies come to.
    bytes_of_one: usize,
}

struct Entry {
    grammar: Grammar,
    /// Shares the lexer, and can be asked about it.
    parser: TokenParser,
    last_used: u64,
}

impl Default for Kept {
    /// More than the agents of a pool have.
    fn default() -> Self {
        let bounds = Bounds { number: 128, bytes: 512 << 20, bytes_of_one: 64 << 20 };
        Kept { bounds, grammars: HashMap::new(), clock: 0 }
    }
}

impl Kept {
    pub(super) fn get(&mut self, key: &str) -> Option<Grammar> {
        self.clock += 1;
        let entry = self.grammars.get_mut(key)?;
        if entry.num_bytes(key).is_none_or(|bytes| bytes > self.bounds.bytes_of_one) {
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
            total <= self.bounds.bytes
        };
        let num_kept = sizes.iter().take(self.bounds.number).take_while(fits).count();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::super::walk::model;
    use super::super::{Material, ToolChoice};
    use super::*;
    use crate::model::Model;

    const NO_BOUNDS: Bounds = Bounds { number: usize::MAX, bytes: usize::MAX, bytes_of_one: usize::MAX };

    /// Compiles constants of these numbers, one after the other; gives those that are kept in the end.
    fn kept_of(model: &Model, bounds: Bounds, numbers: &[u32]) -> Vec<u32> {
        *model.grammars.kept() = Kept { bounds, ..Kept::default() };
        for number in numbers {
            let schema = json!({"const": number});
            model.grammars.compile(&Material::default(), &[], ToolChoice::None, Some(&schema)).unwrap();
        }
        let kept = model.grammars.kept();
        let has = |number: &u32| kept.grammars.keys().any(|key| key.contains(&format!(": {number}}}")));
        (0..10).filter(has).collect()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let model = model();
        assert_eq!(kept_of(&model, NO_BOUNDS, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(kept_of(&model, Bounds { number: 2, ..NO_BOUNDS }, &[1, 2, 1, 3]), [1, 3]);
    }

    #[test]
    fn grammars_are_kept_within_a_bound_of_bytes() {
        let model = model();
        kept_of(&model, NO_BOUNDS, &[1]);
        let bytes =
            model.grammars.kept().grammars.iter().map(|(key, entry)| entry.num_bytes(key).unwrap()).sum::<usize>();
        assert_eq!(kept_of(&model, Bounds { bytes: bytes * 5 / 2, ..NO_BOUNDS }, &[1, 2, 3]), [2, 3]);
        assert_eq!(kept_of(&model, Bounds { bytes: bytes - 1, ..NO_BOUNDS }, &[1, 2]), [0_u32; 0]);
    }

    #[test]
    fn a_grammar_that_has_grown_is_compiled_anew() {
        let model = model();
        let compile = || {
            let schema = json!({"type": "string", "maxLength": 40});
            model.grammars.compile(&Material::default(), &[], ToolChoice::None, Some(&schema)).unwrap()
        };
        let num_bytes =
            || model.grammars.kept().grammars.iter().map(|(key, entry)| entry.num_bytes(key).unwrap()).sum::<usize>();
        *model.grammars.kept() = Kept { bounds: NO_BOUNDS, ..Kept::default() };
        let mut grammar = compile();
        let at_first = num_bytes();
        for id in model.tokenizer.encode_text("\"Some words") {
            grammar.mask().unwrap();
            grammar.accept(id).unwrap();
        }
        assert!(num_bytes() > at_first);
        model.grammars.kept().bounds.bytes_of_one = at_first;
        compile();
        assert_eq!(num_bytes(), at_first);
    }
}
