//! `/v1/tasks/{id}/events`: a task's history and what happens next, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use store::{Change, EventKind, Store};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use types::TaskId;

use super::reject::{Id, no_task};
use crate::dto::EventView;
use crate::problem::Problem;
use crate::state::ApiState;

const PAGE: u32 = 100;

/// Follow a task: everything that happened, then what happens, until it ends. `Last-Event-ID` goes on after a break.
#[utoipa::path(get, path = "/v1/tasks/{id}/events", tag = "tasks",
    params(("id" = TaskId, Path), ("Last-Event-ID" = Option<i64>, Header)),
    responses(
        (status = 200, body = EventView, content_type = "text/event-stream", description = "`event` is the kind, `id` the number, `data` this object"),
        (status = 404, body = Problem)
    ))]
pub(crate) async fn stream(
    State(state): State<ApiState>,
    Id(id): Id<TaskId>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let seen = match headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default()) {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "bad_last_event_id",
                format!("Last-Event-ID {text:?} is not a number"),
            )
        })?,
    };
    // Subscribed before the first look, so that nothing falls between the two.
    let changes = state.store.changes();
    if state.store.task(id).await?.is_none() {
        return Err(no_task(id));
    }
    let follower =
        Follower { store: state.store, task: id, seen, changes, ready: Vec::new().into_iter(), ended: false };
    Ok(Sse::new(futures::stream::unfold(follower, Follower::next)).keep_alive(KeepAlive::default()))
}

/// Reads events from the store, woken by its changes.
struct Follower {
    store: Arc<dyn Store>,
    task: TaskId,
    seen: i64,
    changes: broadcast::Receiver<Change>,
    ready: std::vec::IntoIter<store::Event>,
    ended: bool,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.next() {
                self.seen = event.seq;
                self.ended = is_last(event.kind);
                return Some((Ok(as_sse(event)), self));
            }
            let page = match self.store.events(self.task, self.seen, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(task = %self.task, %error, "an event stream ends early; its client will reconnect");
                    return None;
                }
            };
            if page.is_empty() && (self.ended || !self.changed().await) {
                return None;
            }
            self.ready = page.into_iter();
        }
    }

    /// Waits for word of this task; `false` when there will be none any more.
    async fn changed(&mut self) -> bool {
        loop {
            match self.changes.recv().await {
                Ok(change) if change.task == self.task => return true,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return true,
                Err(RecvError::Closed) => return false,
            }
        }
    }
}

/// Whether nothing follows, unless an operator requeues the task later.
fn is_last(kind: EventKind) -> bool {
    match kind {
        EventKind::Succeeded | EventKind::Failed | EventKind::Cancelled | EventKind::Dead => true,
        EventKind::Accepted
        | EventKind::Started
        | EventKind::Step
        | EventKind::Retrying
        | EventKind::Released
        | EventKind::WorkerLost
        | EventKind::Due
        | EventKind::CancelRequested
        | EventKind::Requeued => false,
    }
}

fn as_sse(event: store::Event) -> Event {
    let view = EventView::from(event);
    let sse = Event::default().id(view.seq.to_string()).event(view.kind.clone());
    let data = serde_json::to_string(&view).unwrap_or_default();
    sse.data(data)
}
