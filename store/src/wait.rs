//! Waits for a task's end: for callers who ask for the result itself.
//!
//! Word of what other processes commit may get lost, so whoever waits looks by itself as well.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use types::TaskId;

use crate::error::StoreError;
use crate::store::Store;
use crate::task::Task;

/// Between two looks where nothing is heard.
const LOOK: Duration = Duration::from_secs(1);

/// The task when it has ended, or as it stands after `patience`; `None` when there is no such task.
pub async fn wait(store: &dyn Store, task: TaskId, patience: Duration) -> Result<Option<Task>, StoreError> {
    let give_up = Instant::now() + patience;
    // Before the first look, so that no end is missed between the two.
    let mut changes = store.changes();
    loop {
        let found = store.task(task).await?;
        if found.as_ref().is_none_or(|task| task.state.is_terminal()) {
            return Ok(found);
        }
        let look = give_up.min(Instant::now() + LOOK);
        loop {
            match timeout_at(look, changes.recv()).await {
                Err(_) if look == give_up => return store.task(task).await,
                Err(_) => break,
                Ok(Ok(change)) if change.task == task && change.state.is_terminal() => break,
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) => break,
                Ok(Err(RecvError::Closed)) => return Err(StoreError::Closed),
            }
        }
    }
}
