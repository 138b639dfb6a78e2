//! How a task's bad end looks to a caller who waited for it.

use axum::http::StatusCode;
use types::{StopReason, TaskState};

use crate::dto::TaskView;
use crate::problem::Problem;

/// The problem with the task in it; `None` while the task has not ended, and when it succeeded.
pub(crate) fn bad_end(task: &TaskView) -> Option<Problem> {
    let (status, code) = match task.state {
        TaskState::Queued | TaskState::Scheduled | TaskState::Running | TaskState::AwaitingApproval => return None,
        TaskState::Succeeded => return None,
        TaskState::Cancelled => (StatusCode::CONFLICT, "task_cancelled"),
        TaskState::Failed if task.stop_reason == Some(StopReason::Timeout) => {
            (StatusCode::GATEWAY_TIMEOUT, "task_timed_out")
        }
        TaskState::Failed => (StatusCode::UNPROCESSABLE_ENTITY, "task_failed"),
        TaskState::Dead => (StatusCode::BAD_GATEWAY, "task_dead"),
    };
    let reason = task.stop_reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let why = task.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let detail = match task.state {
        TaskState::Cancelled => format!("task {} was cancelled", task.id),
        state => format!("task {} ended as {state}{reason}{why}", task.id),
    };
    Some(Problem::new(status, code, detail).with_task(task.clone()))
}
