//! `POST /v1/tasks`: accept a task, and wait for its end if the caller wants to.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::outcome::bad_end;
use super::reject::{Body, refused};
use super::service::draining;
use super::tasks::find;
use super::wait::{Wait, WaitQuery};
use crate::caller::Caller;
use crate::dto::{SubmitTask, TaskView};
use crate::new_task::checked_key;
use crate::problem::Problem;
use crate::state::{ApiState, Readiness};

/// Submit a task. Answers 202 at once, or with `wait` the ended task: 200 when it succeeded, else a problem with the
/// task in it. When the wait is over first, 202 with the task as it stands.
#[utoipa::path(
    post, path = "/v1/tasks", operation_id = "submit_task", tag = "tasks", request_body = SubmitTask,
    params(WaitQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Submitting again under the same key gives the same task back"),
        ("Prefer" = Option<String>, Header, description = "`wait=S`")),
    responses(
        (status = 200, body = TaskView, description = "Waited for, and ended with a result",
            headers(("Location" = String, description = "Where the task is"), ("Preference-Applied" = String))),
        (status = 202, body = TaskView, description = "Accepted: kept until it has ended",
            headers(("Location" = String, description = "Where the task is"), ("Preference-Applied" = String))),
        (status = 400, description = "The query, a header or the JSON cannot be read"),
        (status = 409, description = "The key was used for something else, or the task was cancelled while waited for"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "Cannot be worked on, or failed while waited for"),
        (status = 429, description = "Too much waits; see Retry-After"),
        (status = 502, description = "Waited for, and its tools or model could not finish it"),
        (status = 503, description = "The process is about to end; see Retry-After"),
        (status = 504, description = "Waited for, and its deadline passed")
    )
)]
pub(crate) async fn submit(
    State(state): State<ApiState>,
    caller: Caller,
    wait: Wait,
    headers: HeaderMap,
    request: Result<Body<SubmitTask>, Problem>,
) -> Result<Response, Problem> {
    let accepted = accept(&state, &caller, &headers, request).await;
    let accepted = accepted.inspect_err(|problem| state.runtime.metrics.task_rejected(problem))?;
    let task = wait.for_end_of(accepted, &state).await;
    let location = HeaderValue::try_from(format!("/v1/tasks/{}", task.id)).map_err(|_| Problem::internal())?;
    let location = [(header::LOCATION, location)];
    let waited = wait.patience.is_some();
    let response = match bad_end(&task) {
        Some(problem) if waited => (location, problem).into_response(),
        None if waited && task.state.is_terminal() => (StatusCode::OK, location, Json(task)).into_response(),
        Some(_) | None => (StatusCode::ACCEPTED, location, Json(task)).into_response(),
    };
    Ok(wait.applied_to(response))
}

/// From here on the task is kept; what was just accepted is answered without asking the store again.
async fn accept(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    request: Result<Body<SubmitTask>, Problem>,
) -> Result<TaskView, Problem> {
    if *state.readiness.borrow() == Readiness::Draining {
        return Err(draining());
    }
    let Body(request) = request?;
    let task = state.task(&caller.team, request, header_key(headers)?)?;
    let mut answers = state.store.accept(vec![task.clone()], &caller.actor).await?;
    match answers.pop().ok_or_else(Problem::internal)? {
        Ok(accepted) if accepted.existing => find(state, caller, accepted.id).await,
        Ok(accepted) => Ok(TaskView::accepted(task, &accepted)),
        Err(error) => Err(refused(state, error).await),
    }
}

fn header_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let key = headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
    key.map(|key| checked_key("Idempotency-Key", key)).transpose()
}
