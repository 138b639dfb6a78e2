//! What keeps a queued task from being opened: a pause, or as many of its key running as may.

use std::collections::HashMap;

use sqlx::Error;
use types::TeamName;

use super::concurrency;
use super::pause::paused;
use super::standing::Standing;
use super::transaction::Transaction;
use crate::controls::Scope;
use crate::store::Withheld;

/// As it was when the transaction looked, and with what it opened since.
pub(crate) struct Withholding {
    paused: Vec<Scope>,
    running: HashMap<(TeamName, String), u32>,
}

impl Withholding {
    /// Looks at all that concerns these tasks. Until the transaction ends, no other opens tasks with their keys.
    pub(crate) async fn look(tx: &mut Transaction<'_>, tasks: impl Iterator<Item = &Standing>) -> Result<Self, Error> {
        let keys: Vec<_> =
            tasks.filter_map(|task| Some((task.team.clone(), task.concurrency.as_ref()?.key.clone()))).collect();
        Ok(Withholding { paused: paused(tx).await?, running: concurrency::count(tx, &keys).await? })
    }

    /// Counts the task as running if nothing withholds it.
    pub(crate) fn admit(&mut self, task: &Standing) -> Result<(), Withheld> {
        if self.paused.iter().any(|scope| scope.covers_parts(task.class, &task.agent, &task.team)) {
            return Err(Withheld::Paused);
        }
        if let Some(concurrency) = &task.concurrency {
            let running = self.running.entry((task.team.clone(), concurrency.key.clone())).or_default();
            if concurrency.limit <= *running {
                return Err(Withheld::KeyBusy);
            }
            *running += 1;
        }
        Ok(())
    }
}
