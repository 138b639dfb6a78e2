//! Opening attempts: the lease in the row.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::{AssertSqlSafe, Error};
use types::{TaskId, TaskState, WorkerId};

use super::lost::deadline_passed;
use super::query::Given;
use super::request::Request;
use super::standing::Standing;
use super::task_row::TASK_COLUMNS;
use super::transaction::Transaction;
use super::transition::End;
use super::withhold::Withholding;
use crate::audit::Actor;
use crate::step::EventKind;
use crate::store::Opened;
use crate::task::Task;

pub(crate) struct Open {
    pub(crate) task: TaskId,
    pub(crate) worker: WorkerId,
    pub(crate) lease_timeout: Duration,
}

#[async_trait]
impl Request for Open {
    type Answer = Opened;

    const DOING: &'static str = "open a task";

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.task]
    }

    async fn apply(requests: &[&Self], tx: &mut Transaction<'_>) -> Result<Vec<Opened>, Error> {
        let tasks: Vec<TaskId> = requests.iter().map(|request| request.task).collect();
        let mut standings: HashMap<TaskId, Standing> =
            tx.standings(&tasks).await?.into_iter().map(|standing| (standing.id, standing)).collect();
        let mut withholding = Withholding::look(tx, standings.values()).await?;
        let mut claims = Given::new(&["task", "process", "slot", "began", "until"]);
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let Some(standing) = standings.get_mut(&request.task) else {
                answers.push(Opened::Unknown);
                continue;
            };
            let state = on_time(tx, standing);
            if state == TaskState::Queued {
                if let Err(withheld) = withholding.admit(standing) {
                    answers.push(Opened::Withheld(withheld));
                    continue;
                }
                claims.push([
                    request.task.into(),
                    (&request.worker.process).into(),
                    request.worker.slot.into(),
                    tx.now.into(),
                    tx.now.after(request.lease_timeout).into(),
                ]);
                // Whoever asks for it together with this one comes too late.
                standing.state = TaskState::Running;
            }
            answers.push(Opened::Gone(state));
        }
        let mut held = claim(claims, tx).await?;
        for (request, answer) in requests.iter().zip(&mut answers) {
            if matches!(answer, Opened::Gone(TaskState::Queued))
                && let Some(mut task) = held.remove(&request.task)
            {
                // The row has forgotten it; whoever works on the task may want to know how long it waited.
                task.queued_at = standings.get(&request.task).and_then(|standing| standing.queued_at);
                let data = json!({ "attempt": task.attempt, "worker": request.worker.to_string() });
                tx.event(task.id, EventKind::Started, TaskState::Running, data);
                *answer = Opened::Held(Box::new(task));
            }
        }
        Ok(answers)
    }
}

/// Ends a waiting task whose deadline has passed, and says where the task stands then.
fn on_time(tx: &mut Transaction<'_>, task: &mut Standing) -> TaskState {
    if matches!(task.state, TaskState::Queued | TaskState::Scheduled) && task.deadline_passed(tx.now) {
        tx.finish(task, End::failed(&deadline_passed()), &Actor::system());
        task.state = TaskState::Failed;
    }
    task.state
}

async fn claim(claims: Given, tx: &mut Transaction<'_>) -> Result<HashMap<TaskId, Task>, Error> {
    if claims.is_empty() {
        return Ok(HashMap::new());
    }
    // A constant of ours.
    let update = AssertSqlSafe(format!(
        "UPDATE tasks SET state = 'running', attempt = attempt + 1, worker_process = given.process,
                worker_slot = given.slot, started_at = given.began, lease_until = given.until, queued_at = NULL
         FROM {{given}} WHERE id = given.task RETURNING {TASK_COLUMNS}"
    ));
    let rows = tx.rows(claims.query(update)).await?;
    rows.iter().map(|row| Task::try_from(row).map(|task| (task.id, task))).collect()
}
