//! `POST /v1/tasks/{id}/retry`: an operator has mended what made a task a dead letter.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use store::{Edit, Requeueing};
use types::TaskId;

use super::reject::Id;
use super::tasks::find;
use crate::dto::TaskView;
use crate::problem::Problem;
use crate::state::ApiState;

/// Queue a dead task again, with all its retries. A deadline that has passed is dropped.
#[utoipa::path(post, path = "/v1/tasks/{id}/retry", operation_id = "retry_task", tag = "tasks",
    params(("id" = TaskId, Path, description = "Its id")),
    responses(
        (status = 202, body = TaskView, description = "It is queued again: kept until it has ended"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It is not dead; the problem has its state"),
        (status = 507, description = "The disk is full; nothing was changed")
    ))]
pub(crate) async fn retry(
    State(state): State<ApiState>,
    Id(id): Id<TaskId>,
) -> Result<(StatusCode, Json<TaskView>), Problem> {
    find(&state, id).await?;
    match state.store.requeue(id, &Edit::default(), &state.caller()).await? {
        Requeueing::Queued => Ok((StatusCode::ACCEPTED, Json(find(&state, id).await?))),
        Requeueing::NotDead(standing) => {
            let detail = format!(
                "task {id} is {standing}; only a dead one can be retried, any other has ended for good or goes on by itself"
            );
            Err(Problem::new(StatusCode::CONFLICT, "task_not_dead", detail).with_task(find(&state, id).await?))
        }
        Requeueing::Unknown => Err(Problem::not_found("task", id)),
    }
}
