//! `/v1/tasks/{id}/explain`: why a task does not run.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use store::{PlaceInLine, Process};
use types::{ProcessRole, TaskId, TaskState, Timestamp};

use super::reject::Id;
use super::tasks::find;
use crate::caller::Caller;
use crate::dto::{Explanation, KeyUse, PauseView, Place, Reason, TaskView};
use crate::problem::Problem;
use crate::state::ApiState;

/// A process that was silent for longer is taken for gone.
const SILENCE: Duration = Duration::from_secs(30);

/// Explain why a task waits: a pause, its time, its concurrency key, its place in the line, no worker, no queue.
#[utoipa::path(get, path = "/v1/tasks/{id}/explain", operation_id = "explain_task", tag = "tasks",
    params(("id" = TaskId, Path, description = "Its id")),
    responses((status = 200, body = Explanation, description = "In words and as fields"), (status = 404, description = "No such task")))]
pub(crate) async fn explain(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TaskId>,
) -> Result<Json<Explanation>, Problem> {
    let task = find(&state, &caller, id).await?;
    let place = state.store.place_in_line(id).await?;
    let workers = Workers::of(&state.store.processes().await?, Timestamp::now());
    let queue = (state.queue)();
    Ok(Json(explanation(&task, place, workers, queue)))
}

/// Who could work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Workers {
    live: u32,
    busy: u32,
}

impl Workers {
    fn of(processes: &[Process], now: Timestamp) -> Workers {
        let works = |role| match role {
            ProcessRole::All | ProcessRole::Worker => true,
            ProcessRole::Api | ProcessRole::Engine => false,
        };
        let live = processes.iter().filter(|it| works(it.beat.role) && now.since(it.seen_at) <= SILENCE);
        live.fold(Workers::default(), |sum, process| Workers {
            live: sum.live + process.beat.slots,
            busy: sum.busy + process.beat.busy,
        })
    }
}

fn explanation(
    task: &TaskView,
    place: Option<PlaceInLine>,
    workers: Workers,
    queue: Result<(), String>,
) -> Explanation {
    let waits = place.is_some();
    let place = place.unwrap_or_default();
    let key = task.concurrency.as_ref().map(|concurrency| KeyUse {
        key: concurrency.key.clone(),
        limit: concurrency.limit,
        running: place.running_with_key,
    });
    let is_queued = waits && task.state == TaskState::Queued;
    let is_withheld = !place.pauses.is_empty() || workers.live == 0 || queue.is_err();
    let expected = expected_wait(&place).filter(|_| is_queued && !is_withheld);
    let mut explanation = Explanation {
        id: task.id,
        state: task.state,
        reasons: Vec::new(),
        scheduled_until: task.due_at.filter(|_| task.state == TaskState::Scheduled),
        pauses: place.pauses.into_iter().map(PauseView::from).collect(),
        concurrency: key.filter(|_| waits),
        place: is_queued.then_some(Place { ahead_in_class: place.ahead_in_class, ahead_of_team: place.ahead_of_team }),
        expected_wait_seconds: expected,
        live_workers: workers.live,
        busy_workers: workers.busy,
        queue_reachable: queue.is_ok(),
    };
    explanation.reasons = reasons(task, &explanation, queue.err());
    explanation
}

/// At the rate of the last minute; `None` when nothing ended in it.
fn expected_wait(place: &PlaceInLine) -> Option<u64> {
    (place.ahead_in_class * 60).checked_div(place.finished_last_minute)
}

/// What keeps the task, the most decisive first.
fn reasons(task: &TaskView, facts: &Explanation, queue: Option<String>) -> Vec<Reason> {
    match task.state {
        TaskState::Queued | TaskState::Scheduled => {}
        TaskState::Running => {
            let since = task.started_at.map(|at| format!(" since {at}")).unwrap_or_default();
            return vec![reason("running", format!("it does not wait: attempt {} runs{since}", task.attempt))];
        }
        TaskState::AwaitingApproval => {
            return vec![reason("awaiting_approval", "it waits for a person's approval".to_owned())];
        }
        TaskState::Succeeded | TaskState::Failed | TaskState::Cancelled | TaskState::Dead => {
            return vec![reason("ended", format!("it does not wait: it has ended as {}", task.state))];
        }
    }
    let mut reasons = Vec::new();
    if let Some(until) = facts.scheduled_until {
        let why = if task.failures > 0 { "its last attempt failed and is tried again" } else { "it is not to start" };
        let before = if task.failures > 0 { "at" } else { "before" };
        reasons.push(reason("scheduled", format!("{why} {before} {until}")));
    }
    for pause in &facts.pauses {
        let PauseView { scope, reason: why, by, since } = pause;
        reasons.push(reason("paused", format!("{scope} is paused since {since} by {by}: {why}")));
    }
    if facts.live_workers == 0 {
        let detail = "no process with workers was heard of in the last 30 seconds; start one (talon serve)";
        reasons.push(reason("no_live_worker", detail.to_owned()));
    }
    if let Some(queue) = queue {
        reasons.push(reason("queue_unreachable", format!("the queue cannot be reached: {queue}; the task is kept")));
    }
    if let Some(key) = facts.concurrency.as_ref().filter(|key| key.limit <= key.running) {
        let KeyUse { key, limit, running } = key;
        let detail = format!("{running} tasks with the concurrency key {key:?} run, and at most {limit} may");
        reasons.push(reason("concurrency_limit", detail));
    }
    if let Some(place) = facts.place {
        reasons.push(in_line(task, place, facts));
    }
    reasons
}

fn in_line(task: &TaskView, place: Place, facts: &Explanation) -> Reason {
    let Place { ahead_in_class, ahead_of_team } = place;
    let class = task.class;
    if ahead_in_class == 0 {
        let detail = format!("it is the first in the line {class}; a worker that is free takes it next");
        return reason("next", detail);
    }
    let wait = facts.expected_wait_seconds;
    let wait = wait.map(|seconds| format!("; as the last minute went, it starts in about {seconds} s"));
    let detail = format!(
        "{ahead_in_class} tasks of class {class} have waited longer, {ahead_of_team} of them of its own team{}",
        wait.unwrap_or_default()
    );
    reason("in_line", detail)
}

fn reason(code: &str, detail: String) -> Reason {
    Reason { code: code.to_owned(), detail }
}
