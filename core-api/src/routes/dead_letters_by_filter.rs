//! `/v1/dlq:requeue` and `/v1/dlq:purge`: dead letters by the hundred.

use axum::Json;
use axum::extract::State;
use futures::{StreamExt, TryStreamExt};
use store::{Edit, Purging, Requeueing, StoreError};
use types::TaskId;

use super::dead_letters::checked;
use super::reject::Body;
use crate::caller::{Caller, Operator};
use crate::dto::{DeadLetterFilter, ManyDone, PurgeMany, RequeueMany};
use crate::problem::Problem;
use crate::state::ApiState;

/// Taken at a time; the schema says so too.
const MAX_LETTERS: usize = 10_000;
const PAGE: u32 = 100;
/// Changes on their way at the same time: the store commits them together.
const CONCURRENCY: usize = 64;

/// Queue all dead letters again that fit the filter, edited where `edit` says so. Needs the role operator.
#[utoipa::path(post, path = "/v1/dlq:requeue", operation_id = "requeue_dead_letters", tag = "dead letters",
    request_body = RequeueMany,
    responses(
        (status = 200, body = ManyDone, description = "How many"),
        (status = 400, description = "The JSON cannot be read"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "The filter or the edit cannot be used")
    ))]
pub(crate) async fn requeue(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Body(request): Body<RequeueMany>,
) -> Result<Json<ManyDone>, Problem> {
    let edit = checked(&state, request.edit)?;
    if edit.input.is_some() {
        let detail = "edit.input would make all these tasks the same; give it to each with POST /v1/dlq/{id}/requeue";
        return Err(Problem::unprocessable("bad_edit", detail));
    }
    many(&state, &caller, request.filter, request.dry_run, &Change::Requeue(edit)).await
}

/// Forget all dead letters that fit the filter, with all that belongs to them. Needs the role operator.
#[utoipa::path(post, path = "/v1/dlq:purge", operation_id = "purge_dead_letters", tag = "dead letters",
    request_body = PurgeMany,
    responses(
        (status = 200, body = ManyDone, description = "How many"),
        (status = 400, description = "The JSON cannot be read"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "The filter cannot be used")
    ))]
pub(crate) async fn purge(
    State(state): State<ApiState>,
    Operator(caller): Operator,
    Body(request): Body<PurgeMany>,
) -> Result<Json<ManyDone>, Problem> {
    many(&state, &caller, request.filter, request.dry_run, &Change::Purge).await
}

/// What becomes of a dead letter.
enum Change {
    Requeue(Edit),
    Purge,
}

impl Change {
    /// Whether it was still dead, and is not any more.
    async fn apply(&self, state: &ApiState, caller: &Caller, id: TaskId) -> Result<bool, StoreError> {
        Ok(match self {
            Change::Requeue(edit) => state.store.requeue(id, edit, &caller.actor).await? == Requeueing::Queued,
            Change::Purge => state.store.purge(id, &caller.actor).await? == Purging::Purged,
        })
    }
}

/// Finds first and changes then, so that what dies again meanwhile is not taken twice.
async fn many(
    state: &ApiState,
    caller: &Caller,
    filter: DeadLetterFilter,
    dry_run: bool,
    change: &Change,
) -> Result<Json<ManyDone>, Problem> {
    let (found, more) = matching(state, caller, filter).await?;
    let mut done = ManyDone { matched: found.len() as u64, done: 0, dry_run, more };
    if !dry_run {
        let changes = futures::stream::iter(found).map(|id| change.apply(state, caller, id));
        let changes = changes.buffer_unordered(CONCURRENCY);
        done.done = changes.try_fold(0, async |done, changed| Ok(done + u64::from(changed))).await?;
    }
    Ok(Json(done))
}

/// The ids that fit, at most `MAX_LETTERS`, and whether there may be others.
async fn matching(
    state: &ApiState,
    caller: &Caller,
    filter: DeadLetterFilter,
) -> Result<(Vec<TaskId>, bool), StoreError> {
    let filter = filter.of(caller.team.clone());
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = state.store.tasks(&filter, cursor, PAGE).await?;
        found.extend(page.tasks.iter().map(|task| task.id));
        cursor = page.next;
        if cursor.is_none() || MAX_LETTERS <= found.len() {
            return Ok((found, cursor.is_some()));
        }
    }
}
