//! The one outcome of an attempt.

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::Error;
use types::{TaskId, TaskState, Timestamp};

use super::query::query;
use super::request::Alone;
use super::standing::Standing;
use super::transaction::Transaction;
use super::transition::{self, Transition};
use crate::audit::Actor;
use crate::outcome::{Ended, Ending, Failure};
use crate::retry::{Next, RetryPolicy};
use crate::step::EventKind;
use crate::store::Fence;

pub(crate) struct End {
    pub(crate) fence: Fence,
    pub(crate) ending: Ending,
}

#[async_trait]
impl Alone for End {
    /// `None`: the lease is lost.
    type Answer = Option<Ended>;

    const DOING: &'static str = "write an outcome";

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.fence.task]
    }

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Option<Ended>, Error> {
        let Some(task) = tx.standing(self.fence.task).await? else { return Ok(None) };
        if task.state != TaskState::Running || task.attempt != self.fence.attempt {
            return self.written_before(tx).await;
        }
        let actor = Actor::new(task.worker.as_ref().map_or("worker".to_owned(), ToString::to_string));
        Ok(Some(end(tx, &task, &self.ending, &actor)))
    }
}

impl End {
    /// Whether this attempt's holder has written this outcome already and did not hear of it: the connection may be lost
    /// while a commit is on its way. What the system or a user did to the task is not its outcome.
    async fn written_before(&self, tx: &mut Transaction<'_>) -> Result<Option<Ended>, Error> {
        let select = query(
            "SELECT kind, data FROM task_events WHERE task_id = $1
                AND kind IN ('started', 'retrying', 'released', 'succeeded', 'failed', 'cancelled', 'dead')
             ORDER BY seq",
        );
        let mut holder = None;
        for row in tx.rows(select.bind(self.fence.task)).await? {
            let (kind, data): (EventKind, Value) = (row.parse("kind")?, row.json("data")?);
            if data["attempt"] != json!(self.fence.attempt) {
                continue;
            }
            if kind == EventKind::Started {
                holder = Some(data["worker"].clone());
            } else if holder.as_ref() == Some(&data["by"]) && self.ending.leads_to(kind) {
                let due_at = serde_json::from_value(data["due_at"].clone()).ok().flatten();
                return Ok(Some(Ended { state: state_after(kind), due_at }));
            }
        }
        Ok(None)
    }
}

impl Ending {
    /// Whether an attempt that ends so may leave this event.
    fn leads_to(&self, kind: EventKind) -> bool {
        match self {
            Ending::Complete { .. } => kind == EventKind::Succeeded,
            Ending::Fail(_) => kind == EventKind::Failed,
            Ending::Retry { .. } => {
                matches!(kind, EventKind::Retrying | EventKind::Dead | EventKind::Cancelled)
            }
            Ending::Bury(_) => kind == EventKind::Dead,
            Ending::Release => matches!(kind, EventKind::Released | EventKind::Cancelled),
            Ending::Cancelled => kind == EventKind::Cancelled,
        }
    }
}

fn state_after(outcome: EventKind) -> TaskState {
    match outcome {
        EventKind::Succeeded => TaskState::Succeeded,
        EventKind::Failed => TaskState::Failed,
        EventKind::Cancelled => TaskState::Cancelled,
        EventKind::Dead => TaskState::Dead,
        EventKind::Retrying => TaskState::Scheduled,
        EventKind::Accepted
        | EventKind::Started
        | EventKind::Step
        | EventKind::Released
        | EventKind::WorkerLost
        | EventKind::Due
        | EventKind::CancelRequested
        | EventKind::Requeued => TaskState::Queued,
    }
}

fn end(tx: &mut Transaction<'_>, task: &Standing, ending: &Ending, actor: &Actor) -> Ended {
    let end = match ending {
        Ending::Complete { output } => transition::End::succeeded(output),
        Ending::Fail(failure) => transition::End::failed(failure),
        Ending::Bury(failure) => transition::End::dead(failure),
        Ending::Cancelled => transition::End::cancelled(),
        // It would run again only to be stopped.
        Ending::Retry { .. } | Ending::Release if task.cancel_requested => transition::End::cancelled(),
        Ending::Release => return release(tx, task, actor),
        Ending::Retry { failure, policy, not_before, unit } => {
            let failures = task.failures + 1;
            let policy = RetryPolicy { max_retries: task.max_retries.unwrap_or(policy.max_retries), ..*policy };
            match policy.after(failures, *unit) {
                Next::Bury => transition::End { failures: Some(failures), ..transition::End::dead(failure) },
                Next::RetryAfter(delay) => {
                    let due_at = tx.now.after(delay).max(not_before.unwrap_or(tx.now));
                    return schedule(tx, task, failure, failures, due_at, actor);
                }
            }
        }
    };
    let state = end.state;
    tx.finish(task, end, actor);
    Ended { state, due_at: None }
}

fn schedule(
    tx: &mut Transaction<'_>,
    task: &Standing,
    failure: &Failure,
    failures: u32,
    due_at: Timestamp,
    actor: &Actor,
) -> Ended {
    tx.transit(task.id, Transition::scheduled(due_at, failures, &failure.message));
    let details = json!({
        "attempt": task.attempt, "failures": failures, "reason": failure.reason, "error": failure.message,
        "due_at": due_at, "by": actor,
    });
    tx.audit(actor, "task.retry", &task.id.to_string(), details.clone());
    tx.event(task.id, EventKind::Retrying, TaskState::Scheduled, details);
    Ended { state: TaskState::Scheduled, due_at: Some(due_at) }
}

fn release(tx: &mut Transaction<'_>, task: &Standing, actor: &Actor) -> Ended {
    let details = json!({ "attempt": task.attempt, "by": actor });
    tx.audit(actor, "task.release", &task.id.to_string(), details.clone());
    tx.queue(task, None);
    tx.event(task.id, EventKind::Released, TaskState::Queued, details);
    Ended { state: TaskState::Queued, due_at: None }
}
