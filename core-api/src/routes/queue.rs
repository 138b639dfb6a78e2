//! `/v1/queue`: the installation in numbers, pause and resume.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::{Figures, Scope};
use types::{InvalidName, TaskClass, TaskState};
use utoipa::IntoParams;

use super::reject::{Ask, Body};
use crate::caller::Operator;
use crate::dto::{ClassFigures, ConservationView, PauseQueue, PauseView, ProcessView, QueueView, ResumeQueue, Resumed};
use crate::problem::Problem;
use crate::state::ApiState;

const MAX_REASON_CHARS: usize = 500;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueQuery {
    /// Also count every row, and say whether every accepted task is accounted for.
    #[serde(default)]
    #[param(value_type = bool, required = false, default = false)]
    conservation: bool,
}

/// Show the queue: tasks by class and state, what is paused, which processes live. Needs the role operator.
#[utoipa::path(get, path = "/v1/queue", operation_id = "get_queue", tag = "queue", params(QueueQuery),
    responses((status = 200, body = QueueView, description = "As it stands"), (status = 400, description = "The query cannot be read")))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    _: Operator,
    Ask(query): Ask<QueueQuery>,
) -> Result<Json<QueueView>, Problem> {
    let figures = state.store.figures().await?;
    let in_state = |state: TaskState| (state.as_str().to_owned(), figures.in_state(state));
    let conservation = if query.conservation { Some(state.store.conservation().await?) } else { None };
    Ok(Json(QueueView {
        tasks: TaskState::ALL.into_iter().map(in_state).collect(),
        classes: TaskClass::ALL.into_iter().map(|class| class_figures(&figures, class)).collect(),
        pauses: state.store.pauses().await?.into_iter().map(PauseView::from).collect(),
        processes: state.store.processes().await?.into_iter().map(ProcessView::from).collect(),
        queue_reachable: (state.queue)().is_ok(),
        conservation: conservation.map(ConservationView::from),
    }))
}

fn class_figures(figures: &Figures, class: TaskClass) -> ClassFigures {
    let in_state = |state: TaskState| figures.tasks[state as usize][class as usize];
    ClassFigures {
        class,
        queued: in_state(TaskState::Queued),
        scheduled: in_state(TaskState::Scheduled),
        running: in_state(TaskState::Running),
        oldest_queued_seconds: figures.oldest_queued[class as usize].map(|age| age.as_secs_f64()),
    }
}

/// Withhold tasks from workers, of every team that the scope covers: those that wait go on waiting, those that run go
/// on. Pausing again replaces the reason. Needs the role operator.
#[utoipa::path(post, path = "/v1/queue/pause", operation_id = "pause_queue", tag = "queue", request_body = PauseQueue,
    responses(
        (status = 200, body = PauseView, description = "It is paused"),
        (status = 400, description = "The JSON cannot be read"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "The scope or the reason is none")
    ))]
pub(crate) async fn pause(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Body(request): Body<PauseQueue>,
) -> Result<Json<PauseView>, Problem> {
    let scope = scope(&state, &request.scope)?;
    let reason = request.reason.trim();
    if reason.is_empty() || MAX_REASON_CHARS < reason.chars().count() {
        let detail = format!("reason must have 1 to {MAX_REASON_CHARS} characters; whoever waits is told");
        return Err(Problem::unprocessable("bad_reason", detail));
    }
    state.store.pause(&scope, reason, &caller.actor).await?;
    let pause = state.store.pauses().await?.into_iter().find(|pause| pause.scope == scope);
    // Another operator may have ended it already.
    pause.map(|pause| Json(pause.into())).ok_or_else(|| Problem::not_found("pause of", scope))
}

/// End a pause; others that cover the same tasks go on. Needs the role operator.
#[utoipa::path(post, path = "/v1/queue/resume", operation_id = "resume_queue", tag = "queue", request_body = ResumeQueue,
    responses(
        (status = 200, body = Resumed, description = "It is not paused"),
        (status = 400, description = "The JSON cannot be read"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "The scope is none")
    ))]
pub(crate) async fn resume(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Body(request): Body<ResumeQueue>,
) -> Result<Json<Resumed>, Problem> {
    let scope = parsed(&request.scope)?;
    let was_paused = state.store.resume(&scope, &caller.actor).await?;
    Ok(Json(Resumed { scope: scope.to_string(), was_paused }))
}

/// A scope that covers something: a pause of an agent that nobody knows is a slip.
fn scope(state: &ApiState, text: &str) -> Result<Scope, Problem> {
    let scope = parsed(text)?;
    if let Scope::Agent(agent) = &scope {
        state.known_agent(agent)?;
    }
    Ok(scope)
}

fn parsed(text: &str) -> Result<Scope, Problem> {
    text.parse().map_err(|error: InvalidName| Problem::unprocessable("bad_scope", error.to_string()))
}
