//! `/v1/tasks`: show, list, cancel, steps.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use store::{Cancelling, StoreError, Task, TaskFilter};
use types::{AgentName, TaskClass, TaskId, TaskState};
use utoipa::IntoParams;

use super::reject::{Ask, Id, page_limit};
use super::wait::{Wait, WaitQuery};
use crate::caller::Caller;
use crate::dto::{Cancellation, StepView, TaskList, TaskView};
use crate::problem::Problem;
use crate::state::ApiState;

/// Tasks that are read at a time: each may take several MiB.
pub(super) const PART: u32 = 8;
/// A page with so much text has no more tasks.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// A task of the caller's team; another team's is none.
pub(super) async fn find(state: &ApiState, caller: &Caller, id: TaskId) -> Result<TaskView, Problem> {
    let found = state.store.task(id).await?.filter(|task| task.team == caller.team);
    found.map(TaskView::from).ok_or_else(|| no_task(id))
}

fn no_task(id: TaskId) -> Problem {
    Problem::not_found("task", id)
}

/// Show a task; with `wait`, when it has ended or the wait is over.
#[utoipa::path(get, path = "/v1/tasks/{id}", operation_id = "get_task", tag = "tasks",
    params(("id" = TaskId, Path, description = "Its id"), WaitQuery,
        ("Prefer" = Option<String>, Header, description = "`wait=S`")),
    responses(
        (status = 200, body = TaskView, description = "As it stands", headers(("Preference-Applied" = String))),
        (status = 400, description = "The query or `Prefer` cannot be read"),
        (status = 404, description = "No such task")
    ))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TaskId>,
    wait: Wait,
) -> Result<Response, Problem> {
    let task = find(&state, &caller, id).await?;
    let task = wait.for_end_of(task, &state).await;
    Ok(wait.applied_to(Json(task).into_response()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only tasks in this state.
    #[serde(default)]
    #[param(value_type = TaskState, required = false)]
    state: Option<TaskState>,
    /// Only tasks of this agent.
    #[serde(default)]
    #[param(value_type = AgentName, required = false)]
    agent: Option<AgentName>,
    /// Only tasks of this class.
    #[serde(default)]
    #[param(value_type = TaskClass, required = false)]
    class: Option<TaskClass>,
    /// Only tasks older than this one: the `next` of the page before.
    #[serde(default)]
    #[param(value_type = TaskId, required = false)]
    before: Option<TaskId>,
    /// At most this many.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// List tasks, the newest first.
#[utoipa::path(get, path = "/v1/tasks", operation_id = "list_tasks", tag = "tasks", params(ListQuery),
    responses((status = 200, body = TaskList, description = "One page"), (status = 400, description = "The query cannot be read")))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Ask(query): Ask<ListQuery>,
) -> Result<Json<TaskList>, Problem> {
    let limit = page_limit(query.limit)?;
    let filter = TaskFilter {
        team: Some(caller.team),
        agent: query.agent,
        state: query.state,
        class: query.class,
        ..TaskFilter::default()
    };
    Ok(Json(page(&state, &filter, query.before, limit).await?))
}

/// Tasks that match, newest first, at most `limit`; fewer where they are long, so that a page does not take the server's
/// memory.
pub(super) async fn page(
    state: &ApiState,
    filter: &TaskFilter,
    mut before: Option<TaskId>,
    limit: u32,
) -> Result<TaskList, StoreError> {
    let (mut tasks, mut left, mut bytes) = (Vec::new(), limit, 0);
    loop {
        let part = state.store.tasks(filter, before, left.min(PART)).await?;
        bytes += part.tasks.iter().map(length).sum::<usize>();
        left = left.saturating_sub(PART);
        before = part.next;
        tasks.extend(part.tasks.into_iter().map(TaskView::from));
        if before.is_none() || left == 0 || MAX_PAGE_BYTES <= bytes {
            return Ok(TaskList { tasks, next: before });
        }
    }
}

/// About what it takes in memory; an output is as long as the model's patience, a text as long as its sender's.
fn length(task: &Task) -> usize {
    task.input.as_ref().map_or(0, String::len) + task.output.as_ref().map_or(0, length_of)
}

fn length_of(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(length_of).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + length_of(value)).sum(),
    };
    size_of::<Value>() + inside
}

/// Cancel a task: at once while it waits; a running one stops at its next step. Cancelling again changes nothing.
#[utoipa::path(post, path = "/v1/tasks/{id}/cancel", operation_id = "cancel_task", tag = "tasks",
    params(("id" = TaskId, Path, description = "Its id")),
    responses(
        (status = 200, body = Cancellation, description = "It is cancelled"),
        (status = 202, body = Cancellation, description = "Its worker was told to stop"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It had ended otherwise before")
    ))]
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TaskId>,
) -> Result<Response, Problem> {
    find(&state, &caller, id).await?;
    match state.store.cancel(id, &caller.actor).await? {
        Cancelling::Cancelled | Cancelling::Ended(TaskState::Cancelled) => {
            Ok(Json(Cancellation { id, state: TaskState::Cancelled, requested: false }).into_response())
        }
        Cancelling::Requested => {
            let told = Cancellation { id, state: TaskState::Running, requested: true };
            Ok((StatusCode::ACCEPTED, Json(told)).into_response())
        }
        Cancelling::Ended(state) => {
            let detail = format!("task {id} has ended as {state}; only one that waits or runs can be cancelled");
            Err(Problem::new(StatusCode::CONFLICT, "task_ended", detail))
        }
        Cancelling::Unknown => Err(no_task(id)),
    }
}

/// Show a task's steps: what the model and the tools did, over all executions.
#[utoipa::path(get, path = "/v1/tasks/{id}/steps", operation_id = "list_steps", tag = "tasks",
    params(("id" = TaskId, Path, description = "Its id")),
    responses((status = 200, body = Vec<StepView>, description = "In order"), (status = 404, description = "No such task")))]
pub(crate) async fn steps(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TaskId>,
) -> Result<Json<Vec<StepView>>, Problem> {
    find(&state, &caller, id).await?;
    let steps = state.store.steps(id).await?;
    Ok(Json(steps.into_iter().map(StepView::from).collect()))
}
