//! `POST /v1/tasks:batch`: many tasks, one JSON object on each line; every line is answered in its place.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use store::NewTask;
use tokio::time::{Instant, timeout_at};

use super::answers::{Answers, Unread};
use super::lines::{Line, Lines};
use super::reject::{from_line, refused};
use super::service::draining;
use crate::caller::Caller;
use crate::dto::{BatchAnswer, SubmitTask};
use crate::new_task::checked_key;
use crate::patience::PATIENCE;
use crate::problem::Problem;
use crate::state::{ApiState, Readiness};
use crate::uploads::Upload;

const NDJSON: &str = "application/x-ndjson";
const MAX_LINE_BYTES: usize = 1 << 20;
/// Lines of one transaction.
const CHUNK_LINES: usize = 500;
/// Bytes of one transaction, so that long lines do not add up.
const CHUNK_BYTES: usize = 4 << 20;
/// How long a line waits for others to be accepted with it.
const LINGER: Duration = Duration::from_millis(20);
/// What a batch may take in memory: a chunk, its tasks and the unread answers.
const BATCH_BYTES: usize = 16 << 20;
/// With the lines' own numbers as keys, the rest of a body would be other lines under the same keys.
const SEND_AGAIN: &str = "send all of it again under the same Idempotency-Key; without one, from here";
/// A problem may quote the line; not all of a long one.
const MAX_DETAIL_CHARS: usize = 500;
/// Leaves room for a colon and the longest number of a line.
const MAX_BATCH_KEY_BYTES: usize = 234;

/// Submit many tasks: one JSON object on each line, answered by its number, in order, while the rest is still being
/// sent. A line that is refused does not hurt the others. What was answered 202 is kept, whatever becomes of the
/// upload; sent again under the same key, it is not accepted twice. Read the answers while you send.
#[utoipa::path(
    post, path = "/v1/tasks:batch", operation_id = "submit_batch", tag = "tasks",
    request_body(content = SubmitTask, content_type = "application/x-ndjson", description = "One on each line, of up to 1 MiB"),
    params(("Idempotency-Key" = Option<String>, Header, description = "With the line's number, the key of each line that names none")),
    responses(
        (status = 200, body = BatchAnswer, content_type = "application/x-ndjson", description = "One on each line"),
        (status = 400, description = "The key cannot be read"),
        (status = 429, description = "The team has too much on its way already"),
        (status = 503, description = "The process is about to end; see Retry-After")
    )
)]
pub(crate) async fn submit(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if *state.readiness.borrow() == Readiness::Draining {
        return Err(draining());
    }
    let key = batch_key(&headers)?;
    let room = state.begin_upload(&caller.team, BATCH_BYTES)?;
    let (answers, unread) = Answers::channel();
    let batch = Batch { state, caller, key, answers, chunk: Chunk::default(), _room: room };
    // Reads on while the sender does not read yet; ends with the body, or when nobody is there for the answers.
    tokio::spawn(batch.run(body));
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(unread)).into_response())
}

fn batch_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = checked_key("Idempotency-Key", value.to_str().unwrap_or_default().to_owned())?;
    if key.len() <= MAX_BATCH_KEY_BYTES {
        return Ok(Some(key));
    }
    let detail = format!("Idempotency-Key has {} bytes; that of a batch may have {MAX_BATCH_KEY_BYTES}", key.len());
    Err(Problem::bad_request("bad_idempotency_key", detail))
}

/// A batch on its way in.
struct Batch {
    state: ApiState,
    caller: Caller,
    key: Option<String>,
    answers: Answers,
    chunk: Chunk,
    _room: Upload,
}

/// Lines that are accepted together.
#[derive(Default)]
struct Chunk {
    lines: Vec<(u64, Result<NewTask, Problem>)>,
    bytes: usize,
    /// When it is accepted at the latest; `None` while it is empty.
    until: Option<Instant>,
}

impl Batch {
    async fn run(mut self, body: Body) {
        // What was accepted is kept; the rest was promised nothing.
        let _: Result<(), Unread> = self.read(body).await;
    }

    async fn read(&mut self, body: Body) -> Result<(), Unread> {
        let mut pieces = body.into_data_stream();
        let mut lines = Lines::new(MAX_LINE_BYTES);
        loop {
            let piece = match self.chunk.until {
                Some(until) => timeout_at(until, pieces.next()).await,
                None => Ok(pieces.next().await),
            };
            match piece {
                Err(_) => self.accept().await?,
                Ok(Some(Ok(piece))) => {
                    for line in lines.push(&piece) {
                        self.take(line).await?;
                    }
                }
                Ok(Some(Err(error))) => {
                    self.accept().await?;
                    let detail = format!("the body broke off in this line: {error}; {SEND_AGAIN}");
                    let broken = refusal(lines.current(), Problem::bad_request("bad_body", detail));
                    return self.answer(&[broken]).await;
                }
                Ok(None) => {
                    if let Some(line) = lines.finish() {
                        self.take(line).await?;
                    }
                    return self.accept().await;
                }
            }
        }
    }

    async fn take(&mut self, line: Line) -> Result<(), Unread> {
        self.chunk.bytes += line.text.as_ref().map_or(0, Vec::len);
        self.chunk.lines.push((line.number, self.task(line)));
        self.chunk.until.get_or_insert_with(|| Instant::now() + LINGER);
        if self.chunk.lines.len() < CHUNK_LINES && self.chunk.bytes < CHUNK_BYTES {
            return Ok(());
        }
        self.accept().await
    }

    fn task(&self, line: Line) -> Result<NewTask, Problem> {
        let text = line.text.ok_or_else(|| {
            let detail =
                format!("the line has more than {MAX_LINE_BYTES} bytes; store long texts with POST /v1/documents");
            Problem::new(axum::http::StatusCode::PAYLOAD_TOO_LARGE, "line_too_long", detail)
        })?;
        let request = from_line::<SubmitTask>(&text)?;
        let key = self.key.as_ref().map(|key| format!("{key}:{}", line.number));
        self.state.task(&self.caller.team, request, key)
    }

    /// Accepts what was collected, in one transaction, and answers each of its lines.
    async fn accept(&mut self) -> Result<(), Unread> {
        let chunk = std::mem::take(&mut self.chunk);
        let mut tasks = Vec::with_capacity(chunk.lines.len());
        let places = chunk.lines.into_iter().map(|(line, task)| (line, task.map(|task| tasks.push(task))));
        let places: Vec<(u64, Result<(), Problem>)> = places.collect();
        let mut accepted = self.accept_tasks(tasks).await.into_iter();
        let answers = places.into_iter().map(|(line, place)| {
            let answer = place.and_then(|()| accepted.next().unwrap_or_else(|| Err(Problem::internal())));
            match answer {
                Ok(answer) => BatchAnswer { line, ..answer },
                Err(problem) => {
                    self.state.runtime.metrics.task_rejected(&problem);
                    refusal(line, problem)
                }
            }
        });
        self.answer(&answers.collect::<Vec<_>>()).await
    }

    /// One answer for each task, without its line.
    async fn accept_tasks(&self, tasks: Vec<NewTask>) -> Vec<Result<BatchAnswer, Problem>> {
        let count = tasks.len();
        if count == 0 {
            return Vec::new();
        }
        if *self.state.readiness.borrow() == Readiness::Draining {
            return vec![Err(draining()); count];
        }
        let answers = match self.state.store.accept(tasks, &self.caller.actor).await {
            Ok(answers) => answers,
            Err(error) => return vec![Err(Problem::from(error)); count],
        };
        let mut results = Vec::with_capacity(count);
        for answer in answers {
            results.push(match answer {
                Ok(accepted) => Ok(BatchAnswer {
                    line: 0,
                    status: 202,
                    id: Some(accepted.id),
                    existing: accepted.existing,
                    problem: None,
                }),
                Err(error) => Err(refused(&self.state, error).await),
            });
        }
        results
    }

    async fn answer(&self, answers: &[BatchAnswer]) -> Result<(), Unread> {
        let mut text = Vec::with_capacity(answers.len() * 100);
        for answer in answers {
            // Strings and numbers into memory: neither can fail.
            let _ = serde_json::to_writer(&mut text, answer);
            text.push(b'\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        self.answers.send(text.into(), PATIENCE).await
    }
}

fn refusal(line: u64, mut problem: Problem) -> BatchAnswer {
    if let Some((end, _)) = problem.detail.char_indices().nth(MAX_DETAIL_CHARS) {
        problem.detail.truncate(end);
        problem.detail.push('…');
    }
    BatchAnswer { line, status: problem.status, id: None, existing: false, problem: Some(problem) }
}
