//! `/v1/dlq:requeue` and `/v1/dlq:purge`: dead letters by the hundred.

use axum::Json;
use axum::extract::State;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use store::{Edit, Purging, Requeueing, StoreError};
use types::TaskId;

use super::dead_letters::checked;
use super::reject::Body;
use super::tasks::PART;
use crate::caller::{Caller, Operator};
use crate::dto::{DeadLetterFilter, ManyDone, PurgeMany, RequeueMany};
use crate::problem::Problem;
use crate::state::ApiState;

/// Taken at a time; the schema says so too.
const MAX_LETTERS: usize = 10_000;
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
        let (changed, failure) = each(found, |id| change.apply(state, caller, id)).await;
        done.done = changed;
        if let Some(error) = failure {
            return Err(half_done(done, error));
        }
    }
    Ok(Json(done))
}

/// How many were changed, and what stopped it. Begins nothing after a failure, and awaits what was begun.
async fn each<F>(found: Vec<TaskId>, change: impl Fn(TaskId) -> F) -> (u64, Option<StoreError>)
where
    F: Future<Output = Result<bool, StoreError>>,
{
    let (mut done, mut failure) = (0, None);
    let mut left = found.into_iter().map(change);
    let mut begun: FuturesUnordered<F> = left.by_ref().take(CONCURRENCY).collect();
    while let Some(changed) = begun.next().await {
        match changed {
            Ok(changed) => done += u64::from(changed),
            Err(error) => failure = failure.or(Some(error)),
        }
        if failure.is_none() {
            begun.extend(left.next());
        }
    }
    (done, failure)
}

/// The store's problem, which may say that nothing was changed, in words for many.
fn half_done(ManyDone { done, matched, .. }: ManyDone, error: StoreError) -> Problem {
    let problem = Problem::from(error);
    if done == 0 {
        return problem;
    }
    let detail =
        format!("{done} of {matched} dead letters were done, then the server's store failed; ask again for the rest");
    Problem { detail, ..problem }
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
        let page = state.store.tasks(&filter, cursor, PART).await?;
        found.extend(page.tasks.iter().map(|task| task.id));
        cursor = page.next;
        if cursor.is_none() || MAX_LETTERS <= found.len() {
            return Ok((found, cursor.is_some()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_is_left_half_way_hears_how_much_was_done() {
        let begun = AtomicU64::new(0);
        let found: Vec<TaskId> = (0..1000).map(|_| TaskId::new()).collect();
        let matched = found.len() as u64;
        let change = async |_: TaskId| match begun.fetch_add(1, Ordering::Relaxed) {
            100 => Err(StoreError::DiskFull { path: "talon.db".into() }),
            _ => Ok(true),
        };
        let (done, failure) = each(found, change).await;
        let begun = begun.into_inner();
        assert_eq!(done, begun - 1, "what was begun is awaited and counted");
        assert!(begun <= 101 + CONCURRENCY as u64, "{begun} were begun");
        let problem = half_done(ManyDone { matched, done, ..ManyDone::default() }, failure.expect("a failure"));
        assert_eq!((problem.status, problem.code.as_str()), (507, "disk_full"));
        assert!(problem.detail.starts_with(&format!("{done} of 1000 dead letters were done")), "{}", problem.detail);
    }
}
