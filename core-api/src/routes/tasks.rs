//! `/v1/tasks`: submit, show, list, cancel, steps.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::{Cancelling, NewTask, TaskFilter};
use types::{AgentName, StopReason, TaskClass, TaskId, TaskState, Timestamp};
use utoipa::IntoParams;

use super::reject::{Ask, Body, Id, no_task};
use super::service::unavailable;
use crate::dto::{Cancellation, StepView, SubmitTask, TaskList, TaskView};
use crate::problem::Problem;
use crate::state::{ApiState, Readiness};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1000;
const MAX_KEY_BYTES: usize = 255;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitQuery {
    /// Wait up to this many seconds for the end; the same as `Prefer: wait=S`.
    #[serde(default)]
    wait: Option<u64>,
}

/// Submit a task. Answers 202 at once, or with `wait` the ended task: 200 when it succeeded, else a problem with the
/// task in it. When the wait is over first, 202 with the task as it stands.
#[utoipa::path(
    post, path = "/v1/tasks", tag = "tasks", request_body = SubmitTask,
    params(WaitQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Submitting again under the same key gives the same task back"),
        ("Prefer" = Option<String>, Header, description = "wait=S")),
    responses(
        (status = 200, body = TaskView, description = "Ended with a result"),
        (status = 202, body = TaskView, description = "Accepted: kept until it has ended"),
        (status = 409, body = Problem, description = "The key was used for something else, or the task was cancelled while waited for"),
        (status = 422, body = Problem, description = "Cannot be worked on, or failed while waited for"),
        (status = 429, body = Problem, description = "Too much waits; see Retry-After"),
        (status = 502, body = Problem, description = "Waited for, and its tools or model could not finish it"),
        (status = 503, body = Problem), (status = 504, body = Problem, description = "Waited for, and it ran out of time"),
        (status = 507, body = Problem, description = "The disk is full; nothing was accepted")
    )
)]
pub(crate) async fn submit(
    State(state): State<ApiState>,
    Ask(query): Ask<WaitQuery>,
    headers: HeaderMap,
    Body(request): Body<SubmitTask>,
) -> Result<Response, Problem> {
    if *state.readiness.borrow() == Readiness::Draining {
        return Err(unavailable("draining", "the process finishes what it has; send the task again in a moment"));
    }
    let patience = patience(&state, query.wait, &headers)?;
    let task = new_task(&state, request, idempotency_key(&headers)?)?;
    let mut answers = state.store.accept(vec![task], &state.caller()).await?;
    let accepted = answers
        .pop()
        .ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the store gave no answer"))??;
    let task = match patience {
        None => state.store.task(accepted.id).await?,
        Some(patience) => store::wait(state.store.as_ref(), accepted.id, patience).await?,
    };
    let view = TaskView::from(task.ok_or_else(|| no_task(accepted.id))?);
    match (patience, outcome_status(&view)) {
        (Some(_), Some(StatusCode::OK)) => Ok((StatusCode::OK, location(&view), Json(view)).into_response()),
        (Some(_), Some(status)) => Err(ended_badly(status, view)),
        (None, _) | (_, None) => Ok((StatusCode::ACCEPTED, location(&view), Json(view)).into_response()),
    }
}

fn location(view: &TaskView) -> [(header::HeaderName, HeaderValue); 1] {
    let path = HeaderValue::try_from(format!("/v1/tasks/{}", view.id));
    [(header::LOCATION, path.unwrap_or_else(|_| HeaderValue::from_static("/v1/tasks")))]
}

fn new_task(state: &ApiState, request: SubmitTask, idempotency_key: Option<String>) -> Result<NewTask, Problem> {
    if !state.agents.contains_key(&request.agent) {
        let known = state.agents.keys().map(AgentName::as_str).collect::<Vec<_>>().join(", ");
        let detail = format!("there is no agent {}; this installation has {known}", request.agent);
        return Err(Problem::unprocessable("unknown_agent", detail));
    }
    Ok(NewTask {
        team: state.settings.team.clone(),
        agent: request.agent,
        class: request.class,
        input: request.input,
        documents: request.documents,
        idempotency_key,
        due_at: request.due_at,
        deadline_at: request.deadline_seconds.map(|seconds| Timestamp::now().after(Duration::from_secs(seconds))),
        max_retries: request.max_retries,
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY_BYTES => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_idempotency_key",
            format!("Idempotency-Key must have 1 to {MAX_KEY_BYTES} visible ASCII characters"),
        )),
    }
}

/// How long the caller waits: `?wait=S` or `Prefer: wait=S`, no longer than the server allows.
fn patience(state: &ApiState, query: Option<u64>, headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut waits = preferences.flat_map(|value| value.split(',')).filter_map(|part| part.trim().strip_prefix("wait="));
    let seconds = match (query, waits.next()) {
        (Some(seconds), _) => seconds,
        (None, None) => return Ok(None),
        (None, Some(text)) => text.parse().map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "bad_prefer",
                format!("Prefer: wait={text} is not a number of seconds"),
            )
        })?,
    };
    Ok(Some(Duration::from_secs(seconds).min(state.settings.max_wait)))
}

/// The status that tells a waiting caller how the task ended; `None` while it has not.
fn outcome_status(task: &TaskView) -> Option<StatusCode> {
    match task.state {
        TaskState::Queued | TaskState::Scheduled | TaskState::Running | TaskState::AwaitingApproval => None,
        TaskState::Succeeded => Some(StatusCode::OK),
        TaskState::Cancelled => Some(StatusCode::CONFLICT),
        TaskState::Failed if task.stop_reason == Some(StopReason::Timeout) => Some(StatusCode::GATEWAY_TIMEOUT),
        TaskState::Failed => Some(StatusCode::UNPROCESSABLE_ENTITY),
        TaskState::Dead => Some(StatusCode::BAD_GATEWAY),
    }
}

fn ended_badly(status: StatusCode, task: TaskView) -> Problem {
    let reason = task.stop_reason.map_or("no reason", StopReason::as_str);
    let why = task.error.as_deref().unwrap_or("nothing more is known");
    let detail = format!("task {} ended as {} ({reason}): {why}", task.id, task.state);
    let code = format!("task_{}", task.state);
    Problem::new(status, &code, detail).with_task(serde_json::to_value(&task).unwrap_or_default())
}

/// Show a task; with `wait`, when it has ended or the wait is over.
#[utoipa::path(get, path = "/v1/tasks/{id}", tag = "tasks", params(("id" = TaskId, Path), WaitQuery),
    responses((status = 200, body = TaskView), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Id(id): Id<TaskId>,
    Ask(query): Ask<WaitQuery>,
    headers: HeaderMap,
) -> Result<Json<TaskView>, Problem> {
    let task = match patience(&state, query.wait, &headers)? {
        None => state.store.task(id).await?,
        Some(patience) => store::wait(state.store.as_ref(), id, patience).await?,
    };
    task.map(|task| Json(task.into())).ok_or_else(|| no_task(id))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only tasks in this state.
    #[serde(default)]
    state: Option<TaskState>,
    /// Only tasks of this agent.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    agent: Option<AgentName>,
    /// Only tasks of this class.
    #[serde(default)]
    class: Option<TaskClass>,
    /// Only tasks older than this one: the `next` of the page before.
    #[serde(default)]
    before: Option<TaskId>,
    /// At most this many, 1 to 1000.
    #[serde(default)]
    limit: Option<u32>,
}

/// List tasks, the newest first.
#[utoipa::path(get, path = "/v1/tasks", tag = "tasks", params(ListQuery),
    responses((status = 200, body = TaskList), (status = 400, body = Problem)))]
pub(crate) async fn list(State(state): State<ApiState>, Ask(query): Ask<ListQuery>) -> Result<Json<TaskList>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("limit is {limit} but must be from 1 to {MAX_LIMIT}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail));
    }
    let filter = TaskFilter {
        team: Some(state.settings.team.clone()),
        agent: query.agent,
        state: query.state,
        class: query.class,
    };
    let page = state.store.tasks(&filter, query.before, limit).await?;
    Ok(Json(TaskList { tasks: page.tasks.into_iter().map(TaskView::from).collect(), next: page.next }))
}

/// Cancel a task: at once while it waits; a running one stops at its next step.
#[utoipa::path(post, path = "/v1/tasks/{id}/cancel", tag = "tasks", params(("id" = TaskId, Path)),
    responses(
        (status = 200, body = Cancellation), (status = 202, body = Cancellation, description = "Its worker was told to stop"),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "It had ended before")
    ))]
pub(crate) async fn cancel(State(state): State<ApiState>, Id(id): Id<TaskId>) -> Result<Response, Problem> {
    match state.store.cancel(id, &state.caller()).await? {
        Cancelling::Cancelled => {
            Ok(Json(Cancellation { id, state: TaskState::Cancelled, requested: false }).into_response())
        }
        Cancelling::Requested => {
            let told = Cancellation { id, state: TaskState::Running, requested: true };
            Ok((StatusCode::ACCEPTED, Json(told)).into_response())
        }
        Cancelling::Ended(state) => {
            Err(Problem::new(StatusCode::CONFLICT, "task_ended", format!("task {id} had ended before, as {state}")))
        }
        Cancelling::Unknown => Err(no_task(id)),
    }
}

/// Show a task's steps: what the model and the tools did, over all executions.
#[utoipa::path(get, path = "/v1/tasks/{id}/steps", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, body = Vec<StepView>), (status = 404, body = Problem)))]
pub(crate) async fn steps(State(state): State<ApiState>, Id(id): Id<TaskId>) -> Result<Json<Vec<StepView>>, Problem> {
    if state.store.task(id).await?.is_none() {
        return Err(no_task(id));
    }
    let steps = state.store.steps(id).await?;
    Ok(Json(steps.into_iter().map(StepView::from).collect()))
}
