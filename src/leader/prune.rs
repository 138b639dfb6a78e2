//! Forgets what ended long ago.

use std::sync::Arc;
use std::time::Duration;

use config::RetentionConfig;
use store::{Retention, Store};
use tracing::info;

use super::{Duty, Progress, Trouble};

/// Tasks and documents forgotten in one transaction: others do not wait long for theirs.
const BATCH: u32 = 500;

/// The duty.
pub(crate) struct Prune {
    store: Arc<dyn Store>,
    retention: Retention,
}

impl Prune {
    pub(crate) fn new(store: Arc<dyn Store>, kept: &RetentionConfig) -> Self {
        let &RetentionConfig { succeeded, failed, cancelled, dead, documents } = kept;
        Prune { store, retention: Retention { succeeded, failed, cancelled, dead, documents } }
    }
}

impl Duty for Prune {
    const NAME: &'static str = "pruning";
    const PAUSE: Duration = Duration::from_secs(600);

    async fn once(&mut self) -> Result<Progress, Trouble> {
        let pruned = self.store.prune(&self.retention, BATCH).await?;
        if pruned.tasks + pruned.documents == 0 {
            return Ok(Progress::Done);
        }
        info!(tasks = pruned.tasks, documents = pruned.documents, "forgotten by their age");
        Ok(Progress::More)
    }
}
