//! What follows when a worker is lost: its lease has expired without an outcome.

use serde_json::json;
use types::{StopReason, TaskState};

use super::standing::Standing;
use super::transaction::Transaction;
use super::transition::End;
use crate::audit::Actor;
use crate::outcome::Failure;
use crate::step::EventKind;

/// Counts the loss of a running task's worker and says where the task stands then.
pub(crate) fn lose(tx: &mut Transaction<'_>, task: &Standing) -> TaskState {
    let losses = task.losses + 1;
    let poison = Failure::new(StopReason::Poison, poison(task, losses));
    let late = deadline_passed();
    let end = if task.cancel_requested {
        Some(End::cancelled())
    } else if tx.limits.max_losses < losses {
        Some(End::dead(&poison))
    } else if task.deadline_passed(tx.now) {
        Some(End::failed(&late))
    } else {
        None
    };
    let system = Actor::system();
    if let Some(end) = end {
        let state = end.state;
        tx.finish(task, End { losses: Some(losses), ..end }, &system);
        return state;
    }
    let details = json!({ "attempt": task.attempt, "worker": task.worker, "losses": losses });
    tx.audit(&system, "task.worker_lost", &task.id.to_string(), details.clone());
    tx.queue(task, Some(losses));
    tx.event(task.id, EventKind::WorkerLost, TaskState::Queued, details);
    TaskState::Queued
}

/// A deadline passed before the task was done.
pub(crate) fn deadline_passed() -> Failure {
    Failure::new(StopReason::Timeout, "the task's deadline passed before it was done; allow it more time")
}

fn poison(task: &Standing, losses: u32) -> String {
    let last = task.worker.as_ref().map_or_else(String::new, |worker| format!(", the last was {worker}"));
    format!(
        "{losses} workers were lost while they held this task{last}; see what it does to them (memory, crashes) \
         before it is put back"
    )
}
