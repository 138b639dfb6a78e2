//! `POST /v1/tasks`: accept a task, and wait for its end if the caller wants to.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::NewTask;
use types::{AgentName, DocumentId, Timestamp};

use super::outcome::bad_end;
use super::reject::Body;
use super::service::draining;
use super::tasks::find;
use super::wait::{Wait, WaitQuery};
use crate::dto::{SubmitTask, TaskView};
use crate::problem::Problem;
use crate::state::{ApiState, Readiness};

const MAX_KEY_BYTES: usize = 255;
/// A year: longer is a slip, and moments far beyond have no RFC 3339.
const MAX_DEADLINE_SECONDS: u64 = 366 * 24 * 60 * 60;
/// Each is looked up in the store's one writing transaction, and named in the prompt; the schema says so too.
const MAX_DOCUMENTS: usize = 64;

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
        (status = 504, description = "Waited for, and its deadline passed"),
        (status = 507, description = "The disk is full; nothing was accepted")
    )
)]
pub(crate) async fn submit(
    State(state): State<ApiState>,
    wait: Wait,
    headers: HeaderMap,
    Body(request): Body<SubmitTask>,
) -> Result<Response, Problem> {
    if *state.readiness.borrow() == Readiness::Draining {
        return Err(draining());
    }
    let task = new_task(&state, request, idempotency_key(&headers)?)?;
    let accepted = accept(&state, task).await?;
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
async fn accept(state: &ApiState, task: NewTask) -> Result<TaskView, Problem> {
    let mut answers = state.store.accept(vec![task.clone()], &state.caller()).await?;
    let accepted = answers.pop().ok_or_else(Problem::internal)??;
    if accepted.existing { find(state, accepted.id).await } else { Ok(TaskView::accepted(task, &accepted)) }
}

fn new_task(state: &ApiState, request: SubmitTask, idempotency_key: Option<String>) -> Result<NewTask, Problem> {
    if !state.agents.contains_key(&request.agent) {
        let known = state.agents.keys().map(AgentName::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        let detail = format!("there is no agent {}; this installation has {known}", request.agent);
        return Err(Problem::unprocessable("unknown_agent", detail));
    }
    let deadline_at = request.deadline_seconds.map(deadline).transpose()?;
    if let (Some(due), Some(deadline)) = (request.due_at, deadline_at)
        && deadline <= due
    {
        let detail = format!("due_at is {due} but the task fails at {deadline}; raise deadline_seconds");
        return Err(Problem::unprocessable("bad_deadline", detail));
    }
    Ok(NewTask {
        team: state.settings.team.clone(),
        agent: request.agent,
        class: request.class,
        input: request.input,
        documents: documents(request.documents)?,
        idempotency_key,
        due_at: request.due_at,
        deadline_at,
        max_retries: request.max_retries,
        concurrency: None,
        callback_url: None,
        cost: 1,
    })
}

/// Each once, in the order in which they were named.
fn documents(named: Vec<DocumentId>) -> Result<Vec<DocumentId>, Problem> {
    if MAX_DOCUMENTS < named.len() {
        let detail = format!("the task has {} documents but may have {MAX_DOCUMENTS}; split it", named.len());
        return Err(Problem::unprocessable("too_many_documents", detail));
    }
    let mut documents = Vec::with_capacity(named.len());
    for id in named {
        if !documents.contains(&id) {
            documents.push(id);
        }
    }
    Ok(documents)
}

fn deadline(seconds: u64) -> Result<Timestamp, Problem> {
    if (1..=MAX_DEADLINE_SECONDS).contains(&seconds) {
        return Ok(Timestamp::now().after(Duration::from_secs(seconds)));
    }
    let detail = format!("deadline_seconds is {seconds} but must be from 1 to {MAX_DEADLINE_SECONDS}");
    Err(Problem::unprocessable("bad_deadline", detail))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY_BYTES => Ok(Some(key.to_owned())),
        _ => Err(Problem::bad_request(
            "bad_idempotency_key",
            format!("Idempotency-Key must have 1 to {MAX_KEY_BYTES} visible ASCII characters; a UUID will do"),
        )),
    }
}
