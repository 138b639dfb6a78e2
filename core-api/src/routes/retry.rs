//! `POST /v1/tasks/{id}/retry`: an operator has mended what made a task a dead letter.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use store::{Edit, Requeueing};
use types::{TaskId, TaskState};

use super::reject::Id;
use super::tasks::find;
use crate::caller::Caller;
use crate::dto::TaskView;
use crate::problem::Problem;
use crate::state::ApiState;

/// Queue a dead task again, with all its retries. A deadline that has passed is dropped.
#[utoipa::path(post, path = "/v1/tasks/{id}/retry", operation_id = "retry_task", tag = "tasks",
    params(("id" = TaskId, Path, description = "Its id")),
    responses(
        (status = 202, body = TaskView, description = "It is queued again: kept until it has ended"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It is not dead; the problem has its state")
    ))]
pub(crate) async fn retry(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TaskId>,
) -> Result<(StatusCode, Json<TaskView>), Problem> {
    find(&state, &caller, id).await?;
    requeue(&state, &caller, id, &Edit::default()).await
}

/// Puts a dead letter that the caller may see back into its line.
pub(super) async fn requeue(
    state: &ApiState,
    caller: &Caller,
    id: TaskId,
    edit: &Edit,
) -> Result<(StatusCode, Json<TaskView>), Problem> {
    match state.store.requeue(id, edit, &caller.actor).await? {
        Requeueing::Queued => Ok((StatusCode::ACCEPTED, Json(find(state, caller, id).await?))),
        Requeueing::NotDead(standing) => Err(not_dead(state, caller, id, standing).await?),
        Requeueing::Unknown => Err(Problem::not_found("task", id)),
    }
}

/// Why nothing is done to a task that is no dead letter.
pub(super) async fn not_dead(
    state: &ApiState,
    caller: &Caller,
    id: TaskId,
    standing: TaskState,
) -> Result<Problem, Problem> {
    let detail = format!(
        "task {id} is {standing}; only a dead one can be retried or purged, any other has ended for good or goes on by \
         itself"
    );
    let task = find(state, caller, id).await?;
    Ok(Problem::new(StatusCode::CONFLICT, "task_not_dead", detail).with_task(task))
}
