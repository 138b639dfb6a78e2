//! A backend that does what a test says: it waits for it, says always the same, or fails.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use inference::backend::{Backend, BackendError, BackendMemory, Logits, ModelInput};

/// The bundled model's vocabulary and context.
const VOCAB_SIZE: usize = 3072;
const CONTEXT_LEN: usize = 2048;
/// What it always says: a text's token.
const TOKEN: usize = 2000;

/// Each pass waits for one word.
pub(crate) struct Scripted {
    words: Receiver<Pass>,
}

/// What becomes of a pass.
pub(crate) enum Pass {
    Works,
    Fails,
}

/// The test's side; when it is gone, every pass works at once.
pub(crate) type Script = SyncSender<Pass>;

pub(crate) fn scripted() -> (Scripted, Script) {
    let (script, words) = sync_channel(CONTEXT_LEN);
    (Scripted { words }, script)
}

impl Backend for Scripted {
    fn allocate(&mut self, _: usize) -> Result<(), BackendError> {
        Ok(())
    }

    fn forward(&mut self, input: &ModelInput, logits: &mut Logits) -> Result<(), BackendError> {
        if let Ok(Pass::Fails) = self.words.recv() {
            return Err(BackendError("as the test wants".to_owned()));
        }
        let num_rows: usize = input.spans.iter().map(|span| span.num_logits).sum();
        *logits = Logits { values: vec![0.0; num_rows * VOCAB_SIZE], vocab_size: VOCAB_SIZE };
        logits.values.chunks_exact_mut(VOCAB_SIZE).for_each(|row| row[TOKEN] = 9.0);
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        VOCAB_SIZE
    }

    fn context_len(&self) -> usize {
        CONTEXT_LEN
    }

    fn kv_bytes_per_token(&self) -> u64 {
        512
    }

    fn memory(&self) -> BackendMemory {
        BackendMemory::default()
    }
}
