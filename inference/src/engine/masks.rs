//! Masks of the next tokens, computed on a thread of their own while the forward pass runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::run::Engine;
use super::sequence::SequenceId;
use crate::backend::Backend;
use crate::grammar::{Grammar, Mask};

/// Grammars on their way out and back, the latter with their masks; none where it could not be computed.
pub(super) struct Masks {
    lent: Sender<(SequenceId, Grammar)>,
    returned: Receiver<(SequenceId, Grammar, Option<Mask>)>,
    num_out: usize,
}

impl Masks {
    /// Starts the thread, which ends with `self`.
    pub(super) fn start() -> std::io::Result<Masks> {
        let (lent, grammars) = channel::<(SequenceId, Grammar)>();
        let (results, returned) = channel();
        let run = move || {
            for (id, mut grammar) in grammars {
                // What panics here panics again where it is asked for, and is then its own request's failure.
                let mask = catch_unwind(AssertUnwindSafe(|| grammar.mask().ok())).unwrap_or_default();
                if results.send((id, grammar, mask)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("masks".to_owned()).spawn(run)?;
        Ok(Masks { lent, returned, num_out: 0 })
    }

    /// Lends a grammar out until it is collected; gives it back if nobody is there to take it.
    pub(super) fn lend(&mut self, id: SequenceId, grammar: Grammar) -> Option<Grammar> {
        match self.lent.send((id, grammar)) {
            Ok(()) => {
                self.num_out += 1;
                None
            }
            Err(unsent) => Some(unsent.0.1),
        }
    }

    /// Everything that is out; waits for it.
    pub(super) fn collect(&mut self) -> impl Iterator<Item = (SequenceId, Grammar, Option<Mask>)> {
        let num_out = std::mem::take(&mut self.num_out);
        self.returned.iter().take(num_out)
    }
}

impl<B: Backend> Engine<B> {
    /// Has masks computed beside the forward pass.
    pub(super) fn lend_grammars(&mut self) {
        for chunk in self.plan.chunks.iter().filter(|chunk| chunk.samples) {
            let Some(request) = self.requests.get_mut(&chunk.id) else { continue };
            let unsent = request.sampler.lend_grammar().and_then(|grammar| self.masks.lend(chunk.id, grammar));
            if let Some(grammar) = unsent {
                request.sampler.return_grammar(grammar, None);
            }
        }
    }

    pub(super) fn take_grammars_back(&mut self) {
        for (id, grammar, mask) in self.masks.collect() {
            if let Some(request) = self.requests.get_mut(&id) {
                request.sampler.return_grammar(grammar, mask);
            }
        }
    }
}
