//! Shows dead letters in a Redis stream, to those who look with Redis' tools. The store has them all.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use store::{DeadLetter, Store, Task};
use task_queue::{DeadLetterStream, MirroredLetter};

use super::{Duty, Progress, Trouble};

/// Of an input, in bytes: ten thousand letters stay in Redis' memory.
const MAX_INPUT: usize = 64 << 10;
/// Letters added at a time.
const BATCH: u32 = 100;

/// The duty.
pub(crate) struct Mirror {
    store: Arc<dyn Store>,
    stream: DeadLetterStream,
}

impl Mirror {
    pub(crate) fn new(store: Arc<dyn Store>, stream: DeadLetterStream) -> Self {
        Mirror { store, stream }
    }
}

impl Duty for Mirror {
    const NAME: &'static str = "mirror of dead letters";
    const PAUSE: Duration = Duration::from_secs(1);

    async fn once(&mut self) -> Result<Progress, Trouble> {
        let letters = self.store.unmirrored(BATCH).await?;
        let seqs: Vec<i64> = letters.iter().map(|letter| letter.seq).collect();
        let mirrored: Vec<MirroredLetter> = letters.into_iter().map(mirrored).collect();
        self.stream.add(&mirrored).await?;
        self.store.mirrored(&seqs).await?;
        Ok(if seqs.len() == BATCH as usize { Progress::More } else { Progress::Done })
    }
}

fn mirrored(letter: DeadLetter) -> MirroredLetter {
    let task = *letter.task;
    MirroredLetter {
        payload: payload(&task).to_string(),
        error: task.error.or(task.stop_reason.map(|reason| reason.to_string())).unwrap_or_default(),
        original_id: task.id,
        attempts: task.attempt.0,
        failures: task.failures,
        losses: task.losses,
        agent: task.agent,
        team: task.team,
        died_at: task.finished_at.unwrap_or(task.accepted_at),
    }
}

/// What adds the same task to the intake again. A long input is cut; `input_bytes` says so, and the intake refuses it.
fn payload(task: &Task) -> Value {
    let Task { agent, class, input, documents, .. } = task;
    let start = input.as_ref().map(|input| &input[..input.floor_char_boundary(MAX_INPUT)]);
    let mut payload = json!({"agent": agent, "class": class, "input": start, "documents": documents});
    if let Some(input) = input
        && MAX_INPUT < input.len()
    {
        payload["input_bytes"] = input.len().into();
    }
    payload
}
