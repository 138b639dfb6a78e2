//! `/v1/tasks/{id}/events`: a task's history and what happens next, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use store::{Change, Event};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;
use types::TaskId;

use super::reject::Id;
use super::tasks::find;
use super::wait::closed;
use crate::caller::Caller;
use crate::dto::EventView;
use crate::problem::Problem;
use crate::state::ApiState;

const PAGE: u32 = 100;
/// Other processes' changes are hints that may be lost: looked for at least this often.
const LOOK: Duration = Duration::from_secs(1);
/// Shorter than the patience of usual proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Proxies that hold answers back let these through.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Follow a task: everything that happened, then what happens, until it ends. `Last-Event-ID` goes on after a break;
/// when the task has ended and all was seen, the answer is 204, after which browsers do not come again.
#[utoipa::path(get, path = "/v1/tasks/{id}/events", operation_id = "follow_task", tag = "tasks",
    params(("id" = TaskId, Path, description = "Its id"),
        ("Last-Event-ID" = Option<i64>, Header, description = "The number of the last event seen")),
    responses(
        (status = 200, body = EventView, content_type = "text/event-stream", description = "`event` is the kind, `id` the number, `data` this object"),
        (status = 204, description = "The task has ended, and its end was seen"),
        (status = 400, description = "`Last-Event-ID` cannot be read"),
        (status = 404, description = "No such task")
    ))]
pub(crate) async fn stream(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TaskId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = last_event_id(&headers)?;
    // Subscribed before the first look, so that nothing falls between the two.
    let changes = state.store.changes();
    let task = find(&state, &caller, id).await?;
    let ready = state.store.events(id, seen, PAGE).await?;
    if ready.is_empty() && task.state.is_terminal() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follower = Follower { state, task: id, seen, changes, ready: ready.into_iter(), ended: false };
    Ok(follower.into_response(KEEP_ALIVE))
}

fn last_event_id(headers: &HeaderMap) -> Result<i64, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(0) };
    value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
        let detail = format!(
            "Last-Event-ID is {value:?} but must be the id of an event of this stream; leave it out to start anew"
        );
        Problem::bad_request("bad_last_event_id", detail)
    })
}

/// Reads events from the store, woken by its changes.
struct Follower {
    state: ApiState,
    task: TaskId,
    seen: i64,
    changes: broadcast::Receiver<Change>,
    ready: std::vec::IntoIter<Event>,
    ended: bool,
}

impl Follower {
    fn into_response(self, keep_alive: Duration) -> Response {
        let events = Sse::new(unfold(self, Follower::next)).keep_alive(KeepAlive::new().interval(keep_alive));
        ([UNBUFFERED], events).into_response()
    }

    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.next() {
                self.seen = event.seq;
                // A dead letter that was put back has events after its end.
                self.ended = event.kind.is_end();
                return Some((Ok(as_sse(event)), self));
            }
            let page = match self.state.store.events(self.task, self.seen, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(task = %self.task, %error, "an event stream ends early; its reader may come again");
                    return None;
                }
            };
            if page.is_empty() && (self.ended || !self.changed().await) {
                return None;
            }
            self.ready = page.into_iter();
        }
    }

    /// Waits for word of this task, or until it is time to look without; `false` when there will be none any more.
    async fn changed(&mut self) -> bool {
        let Follower { state, task, changes, .. } = self;
        let word = async {
            loop {
                match changes.recv().await {
                    Ok(change) if change.task == *task => return true,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return true,
                    Err(RecvError::Closed) => return false,
                }
            }
        };
        tokio::select! {
            word = word => word,
            () = sleep(LOOK) => true,
            () = closed(state) => false,
        }
    }
}

fn as_sse(event: Event) -> sse::Event {
    let view = EventView::from(event);
    let sse = sse::Event::default().id(view.seq.to_string()).event(&view.kind);
    // JSON in one line, so that it is one `data` line.
    sse.data(serde_json::to_string(&view).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use futures::StreamExt;
    use prometheus::Registry;
    use store::{Actor, NewTask, SqliteSettings, SqliteStore, StoreMetrics};
    use tempfile::TempDir;
    use tokio::sync::watch;
    use types::TaskClass;

    use super::*;
    use crate::authentication::Authentication;
    use crate::state::{ApiRuntime, ApiSettings, Readiness};

    async fn state(folder: &TempDir) -> ApiState {
        ApiState {
            store: Arc::new(SqliteStore::open(SqliteSettings::new(folder.path().join("talon.db"))).await.unwrap()),
            agents: Arc::default(),
            metrics: Arc::new(Vec::new),
            store_metrics: StoreMetrics::new(&Registry::new()).unwrap(),
            readiness: watch::channel(Readiness::Ready).1,
            health: Arc::new(|| Ok(())),
            queue: Arc::new(|| Ok(())),
            settings: Arc::new(ApiSettings {
                authentication: Authentication::Keys { admin: None },
                max_document_bytes: 1,
                max_wait: Duration::ZERO,
                webhooks: config::WebhookConfig::default(),
            }),
            runtime: ApiRuntime::register(&Registry::new()).unwrap(),
        }
    }

    async fn submit(state: &ApiState) -> TaskId {
        let task = NewTask {
            team: "default".parse().unwrap(),
            agent: "summary".parse().unwrap(),
            class: TaskClass::Normal,
            input: Some("x".to_owned()),
            documents: Vec::new(),
            idempotency_key: None,
            due_at: None,
            deadline_at: None,
            max_retries: None,
            concurrency: None,
            callback_url: None,
            cost: 1,
        };
        state.store.accept(vec![task], &Actor::system()).await.unwrap().remove(0).unwrap().id
    }

    #[tokio::test]
    async fn a_silent_stream_is_kept_alive() {
        let folder = TempDir::new().unwrap();
        let state = state(&folder).await;
        let task = submit(&state).await;
        let changes = state.store.changes();
        let follower = Follower { state, task, seen: 0, changes, ready: Vec::new().into_iter(), ended: false };
        let mut chunks = follower.into_response(Duration::from_millis(1)).into_body().into_data_stream();
        let mut text = String::new();
        while !text.contains("event: accepted") || !text.ends_with(":\n\n") {
            text += std::str::from_utf8(&chunks.next().await.unwrap().unwrap()).unwrap();
        }
    }

    #[tokio::test]
    async fn a_stream_goes_on_where_no_word_of_changes_comes() {
        let folder = TempDir::new().unwrap();
        let state = state(&folder).await;
        let (store, task) = (state.store.clone(), submit(&state).await);
        // As from another process, when the way between the two loses everything.
        let (_silent, changes) = broadcast::channel(1);
        let follower = Follower { state, task, seen: 0, changes, ready: Vec::new().into_iter(), ended: false };
        let mut chunks = follower.into_response(KEEP_ALIVE).into_body().into_data_stream();
        let mut next = async || {
            let chunk = tokio::time::timeout(Duration::from_secs(60), chunks.next()).await.expect("no event comes");
            String::from_utf8(chunk.unwrap().unwrap().to_vec()).unwrap()
        };
        assert!(next().await.contains("event: accepted"));
        store.cancel(task, &Actor::system()).await.unwrap();
        assert!(next().await.contains("event: cancelled"));
    }
}
