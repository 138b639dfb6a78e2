//! Talks to a running server for the command line. Every refusal arrives as a [`Failure`] that says what to do.

use std::path::Path;
use std::time::{Duration, Instant};

use core_api::{AgentView, BatchAnswer, Cancellation, DocumentView, EventView, Problem, SubmitTask, TaskView};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::{AgentName, DocumentId, TaskClass, TaskId};

use crate::cli::ServerArgs;
use crate::failure::{Failure, with_causes};
use crate::sse::SseData;

/// How long one wait for a result lasts before it is asked for again.
const WAIT_SECONDS: u64 = 60;
/// Pauses while a full server is asked again.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// A server that was there may take this long to come back.
pub(crate) const RESTART: Duration = Duration::from_secs(WAIT_SECONDS + 30);
/// A server that says nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(WAIT_SECONDS + 30);

/// A server, by its address.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

impl Client {
    /// The server that a command was told of.
    pub(crate) fn of(server: &ServerArgs) -> Result<Self, Failure> {
        let key = server.key.as_deref().map(str::trim).filter(|key| !key.is_empty());
        if key.is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Failure::usage("the API key has characters that none has; give it as it was printed"));
        }
        Ok(Client { key: key.map(str::to_owned), ..Client::new(&server.url)? })
    }

    /// A server that asks for no key.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Ok(Client { http: http(url)?, url: url.trim_end_matches('/').to_owned(), key: None })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Failure> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, content: &impl Serialize) -> Result<T, Failure> {
        self.json(self.request(Method::POST, path).json(content)).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, content: &impl Serialize) -> Result<T, Failure> {
        self.json(self.request(Method::PUT, path).json(content)).await
    }

    /// Deletes what is at `path`; the answer is its last state, or none.
    pub(crate) async fn delete(&self, path: &str) -> Result<Response, Failure> {
        accepted(self.send(self.request(Method::DELETE, path)).await?).await
    }

    /// Asks for something to be done that has no answer.
    pub(crate) async fn ask(&self, path: &str) -> Result<(), Failure> {
        accepted(self.send(self.request(Method::POST, path)).await?).await.map(drop)
    }

    /// Submits tasks, one on each line; each line is answered. A full server is asked again until it takes them.
    pub(crate) async fn batch(&self, lines: String) -> Result<Vec<BatchAnswer>, Failure> {
        let request = async || {
            let request = self.request(Method::POST, "/v1/tasks:batch").header("content-type", "application/x-ndjson");
            Ok(request.body(lines.clone()))
        };
        let response = self.when_not_full(request).await?;
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        let answer = |line| serde_json::from_str(line).map_err(|error| not_understood(&error));
        text.lines().map(answer).collect()
    }

    /// Stores a file, which is not read into memory; a full server is asked again until it takes it.
    pub(crate) async fn upload(&self, path: &Path) -> Result<DocumentView, Failure> {
        let unreadable = |error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
        let name = path.file_name().map_or_else(|| "document".to_owned(), |name| name.to_string_lossy().into_owned());
        let request = async || {
            let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
            let length = file.metadata().await.map_err(unreadable)?.len();
            Ok(self.document(&name).header("content-length", length).body(file))
        };
        let stored = async { content(self.when_not_full(request).await?).await };
        stored.await.map_err(|failure: Failure| failure.about(&path.display().to_string()))
    }

    /// Stores a document under a file's name.
    pub(crate) async fn store(&self, name: &str, bytes: Vec<u8>) -> Result<DocumentView, Failure> {
        self.json(self.document(name).body(bytes)).await
    }

    fn document(&self, name: &str) -> RequestBuilder {
        let request = self.request(Method::POST, "/v1/documents").query(&[("name", name)]);
        request.header("content-type", media_type(Path::new(name)))
    }

    /// Submits; a full server is asked again until it takes the task.
    pub(crate) async fn submit(&self, task: &SubmitTask, idempotency_key: Option<&str>) -> Result<TaskView, Failure> {
        let request = async || {
            let request = self.request(Method::POST, "/v1/tasks").json(task);
            Ok(match idempotency_key {
                Some(key) => request.header("idempotency-key", key),
                None => request,
            })
        };
        content(self.when_not_full(request).await?).await
    }

    /// Sends until the server has room; its answer is none of a full one.
    async fn when_not_full(
        &self,
        request: impl AsyncFn() -> Result<RequestBuilder, Failure>,
    ) -> Result<Response, Failure> {
        loop {
            let response = self.send(request().await?).await?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return accepted(response).await;
            }
            tokio::time::sleep(retry_after(&response).unwrap_or(BUSY_PAUSE)).await;
        }
    }

    /// Waits for the task's end, whatever it is; also across a restart of the server, which keeps the task.
    pub(crate) async fn wait(&self, id: TaskId) -> Result<TaskView, Failure> {
        let mut answered_at = Instant::now();
        loop {
            let request = self.request(Method::GET, &format!("/v1/tasks/{id}")).query(&[("wait", WAIT_SECONDS)]);
            match self.json::<TaskView>(request).await {
                Ok(task) if task.state.is_terminal() => return Ok(task),
                Ok(_) => answered_at = Instant::now(),
                Err(failure) if failure.is_unavailable() && answered_at.elapsed() < RESTART => {
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Err(failure) => return Err(failure.about(&format!("task {id}"))),
            }
        }
    }

    pub(crate) async fn task(&self, id: TaskId) -> Result<TaskView, Failure> {
        self.json(self.request(Method::GET, &format!("/v1/tasks/{id}"))).await
    }

    pub(crate) async fn cancel(&self, id: TaskId) -> Result<Cancellation, Failure> {
        self.json(self.request(Method::POST, &format!("/v1/tasks/{id}/cancel"))).await
    }

    /// Queues a dead task again.
    pub(crate) async fn retry(&self, id: TaskId) -> Result<TaskView, Failure> {
        self.json(self.request(Method::POST, &format!("/v1/tasks/{id}/retry"))).await
    }

    pub(crate) async fn agents(&self) -> Result<Vec<AgentView>, Failure> {
        self.json(self.request(Method::GET, "/v1/agents")).await
    }

    /// A task's events from after `seen`, handed to `on_event` until the stream ends.
    pub(crate) async fn events(
        &self,
        id: TaskId,
        seen: i64,
        mut on_event: impl FnMut(EventView) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let request = self.request(Method::GET, &format!("/v1/tasks/{id}/events")).header("last-event-id", seen);
        let mut response = accepted(self.send(request).await?).await?;
        let mut lines = SseData::default();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            for data in lines.push(&chunk) {
                let event = serde_json::from_str(&data).map_err(|error| {
                    Failure::refused(format!("the server sent an event that is none (another version?): {error}"))
                })?;
                on_event(event)?;
            }
        }
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|error| self.unreachable(&error))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        body(self.send(request).await?).await
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        // The innermost reason; what is around it repeats the URL.
        let mut reason: &dyn std::error::Error = error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        let url = &self.url;
        Failure::unavailable(match error.is_connect() {
            true => format!(
                "no server answers at {url} ({reason}); start one with `talon serve`, or name another with --url"
            ),
            false => format!(
                "the connection to {url} broke ({reason}); what was accepted is kept: ask again when the server is back"
            ),
        })
    }
}

/// Connections to a server at `url`.
pub(crate) fn http(url: &str) -> Result<reqwest::Client, Failure> {
    if !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        return Err(Failure::usage(format!(
            "--url (or TALON_URL) is {url:?}, which is no address of a server; write it as http://127.0.0.1:8400"
        )));
    }
    // Fails when it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5)).read_timeout(SILENCE);
    // Only https needs the system's certificates, which a bare container lacks.
    let builder = if url.starts_with("https:") { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| Failure::usage(format!("no HTTP client can be made: {}", with_causes(&error))))
}

/// A task as the command line submits it.
pub(crate) fn new_task(
    agent: AgentName,
    input: Option<String>,
    documents: Vec<DocumentId>,
    class: TaskClass,
) -> SubmitTask {
    SubmitTask {
        agent,
        input,
        documents,
        class,
        due_at: None,
        deadline_seconds: None,
        max_retries: None,
        concurrency_key: None,
        concurrency_limit: None,
        callback_url: None,
        idempotency_key: None,
    }
}

/// What a response holds.
pub(crate) async fn body<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    content(accepted(response).await?).await
}

async fn content<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    response.json().await.map_err(|error| not_understood(&error))
}

fn not_understood(error: &dyn std::error::Error) -> Failure {
    Failure::unavailable(format!("the server's answer is not understood (another version?): {}", with_causes(error)))
}

/// The response, if the server did what was asked; else its problem.
async fn accepted(response: Response) -> Result<Response, Failure> {
    let (status, retry_after) = (response.status(), retry_after(&response));
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let problem = serde_json::from_str::<Problem>(&text);
    let message = problem.map_or_else(|_| format!("the server answered {status}"), |problem| problem.to_string());
    Err(match status {
        // It is stopping, stands still, or its disk is full: no judgement on the request.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {
            Failure::unavailable(message).after(retry_after)
        }
        _ => Failure::refused(message),
    })
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What a file is, by its ending; the tool that reads it looks at the content.
fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("pdf") => "application/pdf",
        Some("csv") => "text/csv",
        Some("md") => "text/markdown",
        Some("json") => "application/json",
        Some("txt" | "eml" | "log" | "diff" | "patch" | "tsv") => "text/plain",
        _ => "application/octet-stream",
    }
}
