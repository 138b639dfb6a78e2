//! `/v1/dlq`: dead letters one by one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use store::{Edit, Event, Purging, Step};
use types::{AgentName, AttemptNumber, StopReason, TaskId, TaskState, Timestamp};
use utoipa::IntoParams;

use super::reject::{Ask, Id, MaybeBody, page_limit};
use super::retry::{not_dead, requeue as requeue_task};
use super::tasks::{find, page};
use crate::caller::{Caller, Operator};
use crate::dto::{AttemptView, DeadLetterFilter, DeadLetterView, EditTask, EventView, StepView, TaskList, TaskView};
use crate::problem::Problem;
use crate::state::ApiState;

/// Events of a page, and of a dead letter that is inspected: far more than a task that ends has.
const EVENTS: u32 = 10_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those of this agent.
    #[serde(default)]
    #[param(value_type = AgentName, required = false)]
    agent: Option<AgentName>,
    /// Only those that are dead for this reason.
    #[serde(default)]
    #[param(value_type = StopReason, required = false)]
    reason: Option<StopReason>,
    /// Only those that are dead since before this moment.
    #[serde(default)]
    #[param(value_type = Timestamp, required = false)]
    before: Option<Timestamp>,
    /// Only those after this one in the list: the `next` of the page before.
    #[serde(default)]
    #[param(value_type = TaskId, required = false)]
    cursor: Option<TaskId>,
    /// At most this many.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// List the team's dead letters, the newest task first. Needs the role operator.
#[utoipa::path(get, path = "/v1/dlq", operation_id = "list_dead_letters", tag = "dead letters", params(ListQuery),
    responses((status = 200, body = TaskList, description = "One page"), (status = 400, description = "The query cannot be read")))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Ask(query): Ask<ListQuery>,
) -> Result<Json<TaskList>, Problem> {
    let limit = page_limit(query.limit)?;
    let filter = DeadLetterFilter { agent: query.agent, reason: query.reason, before: query.before };
    Ok(Json(page(&state, &filter.of(caller.team), query.cursor, limit).await?))
}

/// A dead letter of the caller's team; any other task is none.
async fn find_dead(state: &ApiState, caller: &Caller, id: TaskId) -> Result<TaskView, Problem> {
    let task = find(state, caller, id).await?;
    if task.state == TaskState::Dead { Ok(task) } else { Err(Problem::not_found("dead letter", id)) }
}

/// Inspect a dead letter: what was asked, and what was tried. Needs the role operator.
#[utoipa::path(get, path = "/v1/dlq/{id}", operation_id = "get_dead_letter", tag = "dead letters",
    params(("id" = TaskId, Path, description = "The task's id")),
    responses((status = 200, body = DeadLetterView, description = "With its attempts"), (status = 404, description = "No such dead letter")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Id(id): Id<TaskId>,
) -> Result<Json<DeadLetterView>, Problem> {
    let task = find_dead(&state, &caller, id).await?;
    let events = state.store.events(id, 0, EVENTS).await?;
    let steps = state.store.steps(id).await?;
    Ok(Json(DeadLetterView { task, attempts: attempts(events, steps) }))
}

/// Queue a dead letter again, with all its retries; `input`, `agent`, `class` and `max_retries` replace its own. Needs
/// the role operator.
#[utoipa::path(post, path = "/v1/dlq/{id}/requeue", operation_id = "requeue_dead_letter", tag = "dead letters",
    params(("id" = TaskId, Path, description = "The task's id")),
    request_body(content = EditTask, description = "What is changed; may be left out"),
    responses(
        (status = 202, body = TaskView, description = "It is queued again: kept until it has ended"),
        (status = 400, description = "The JSON cannot be read"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It is not dead; the problem has its state"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "As edited it cannot be worked on")
    ))]
pub(crate) async fn requeue(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Id(id): Id<TaskId>,
    MaybeBody(edit): MaybeBody<EditTask>,
) -> Result<(StatusCode, Json<TaskView>), Problem> {
    let task = find(&state, &caller, id).await?;
    let edit = checked(&state, edit)?;
    if task.documents.is_empty() && edit.input.as_deref().is_some_and(|input| input.trim().is_empty()) {
        let detail = "the task would have neither input nor documents; give another input";
        return Err(Problem::unprocessable("empty_task", detail));
    }
    requeue_task(&state, &caller, id, &edit).await
}

/// An edit that can be worked on, as far as it goes without the task.
pub(super) fn checked(state: &ApiState, edit: EditTask) -> Result<Edit, Problem> {
    if let Some(agent) = &edit.agent {
        state.known_agent(agent)?;
    }
    Ok(Edit { input: edit.input, agent: edit.agent, class: edit.class, max_retries: edit.max_retries })
}

/// Forget a dead letter with all that belongs to it. Needs the role operator.
#[utoipa::path(delete, path = "/v1/dlq/{id}", operation_id = "purge_dead_letter", tag = "dead letters",
    params(("id" = TaskId, Path, description = "The task's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It is not dead; the problem has its state")
    ))]
pub(crate) async fn purge(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Id(id): Id<TaskId>,
) -> Result<StatusCode, Problem> {
    find(&state, &caller, id).await?;
    match state.store.purge(id, &caller.actor).await? {
        Purging::Purged => Ok(StatusCode::NO_CONTENT),
        Purging::NotDead(standing) => Err(not_dead(&state, &caller, id, standing).await?),
        Purging::Unknown => Err(Problem::not_found("task", id)),
    }
}

/// What happened, execution by execution. Each begins where it was started.
fn attempts(events: Vec<Event>, steps: Vec<Step>) -> Vec<AttemptView> {
    let mut attempts = vec![AttemptView::before_the_first()];
    for event in events.into_iter().map(EventView::from) {
        if event.kind == "started" {
            let number = AttemptNumber(attempts.last().map_or(0, |last: &AttemptView| last.attempt.0) + 1);
            attempts.push(AttemptView { attempt: number, ..AttemptView::before_the_first() });
        }
        if let Some(attempt) = attempts.last_mut() {
            attempt.events.push(event);
        }
    }
    for step in steps {
        if let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.attempt == step.attempt) {
            attempt.steps.push(StepView::from(step));
        }
    }
    attempts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use store::{EventKind, StepKind};

    use super::*;

    #[test]
    fn what_happened_is_told_execution_by_execution() {
        let task = TaskId::new();
        let at = Timestamp::now();
        let kinds =
            [EventKind::Accepted, EventKind::Started, EventKind::WorkerLost, EventKind::Started, EventKind::Dead];
        let events = (1..).zip(kinds).map(|(seq, kind)| Event { seq, task, at, kind, data: json!({}) }).collect();
        let step = |attempt, ordinal| Step {
            attempt: AttemptNumber(attempt),
            ordinal,
            kind: StepKind::Tool,
            started_at: at,
            duration: Duration::ZERO,
            prompt_tokens: 0,
            completion_tokens: 0,
            summary: json!({}),
        };
        let told: Vec<(u32, Vec<String>, Vec<u32>)> = attempts(events, vec![step(1, 1), step(2, 2), step(2, 3)])
            .into_iter()
            .map(|attempt| {
                let kinds = attempt.events.into_iter().map(|event| event.kind).collect();
                (attempt.attempt.0, kinds, attempt.steps.into_iter().map(|step| step.ordinal).collect())
            })
            .collect();
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<String>>();
        assert_eq!(
            told,
            [
                (0, words(&["accepted"]), vec![]),
                (1, words(&["started", "worker_lost"]), vec![1]),
                (2, words(&["started", "dead"]), vec![2, 3])
            ]
        );
    }
}
