//! A model behind HTTP: another Talon, or any server that speaks OpenAI's chat completions. What no such server can be
//! trusted with, is checked when it has answered: calls and answers by their schemas here, extracts and verbatim strings
//! by the agent loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use config::{RemoteKind, RemoteModel};
use inference::{
    AnswerForm, CacheSalt, ChatReply, ChatRequest, Message, ReplyContent, ReplyError, ToolDefinition, Usage,
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout, timeout_at};

use super::refusal::{Trouble, trouble};
use super::request::{self, Outcomes};
use super::{Generate, reply};
use crate::tools::{reason, retry_after};

/// The largest answer that is taken, in bytes.
const MAX_ANSWER: usize = 16 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a server may take to say what it has, or how long a text is.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Before a server that is away is asked again, unless it says.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of JSON that are taken for a token where the server does not count: a little less than texts have, so that a
/// conversation is rather thought too long than found to be.
const BYTES_PER_TOKEN: usize = 3;

/// A model behind HTTP.
pub struct RemoteChat {
    http: Client,
    url: String,
    model: String,
    kind: RemoteKind,
    key: Option<HeaderValue>,
    context_tokens: usize,
}

/// Why a model behind HTTP cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The key has characters that no header may hold.
    #[error("the key for {url} cannot be sent; it has line breaks or other control characters")]
    Key {
        /// The server.
        url: String,
    },
    /// There is no client.
    #[error("no HTTP client can be made for {url}: {reason}")]
    Client {
        /// The server.
        url: String,
        /// Why.
        reason: String,
    },
    /// The server is away, starts or is full: later it may say how much the model holds.
    #[error("{url} does not answer ({reason}); start it, or set context_tokens beside url, so that it is not asked")]
    Away {
        /// The server.
        url: String,
        /// Why.
        reason: String,
    },
    /// The server does not say how much the model holds.
    #[error("{url} does not say how many tokens {model:?} holds ({reason}); set context_tokens beside url")]
    NoContext {
        /// The server.
        url: String,
        /// The model's name there.
        model: String,
        /// Why.
        reason: String,
    },
}

impl RemoteChat {
    /// The model of `spec`. The server is asked how much it holds only if `spec` does not say.
    ///
    /// # Errors
    /// When it is asked and has no answer, or the key cannot be sent.
    pub async fn connect(spec: &RemoteModel, key: Option<&str>) -> Result<Self, ConnectError> {
        let RemoteModel { url, model, kind, .. } = spec.clone();
        let key = key.map(|key| HeaderValue::try_from(format!("Bearer {key}"))).transpose();
        let mut key = key.map_err(|_| ConnectError::Key { url: url.clone() })?;
        key.iter_mut().for_each(|key| key.set_sensitive(true));
        let http = client(&url).map_err(|error| ConnectError::Client { url: url.clone(), reason: reason(&error) })?;
        let url = url.trim_end_matches('/').to_owned();
        let mut remote = RemoteChat { http, url, model, kind, key, context_tokens: 0 };
        remote.context_tokens = match spec.context_tokens {
            Some(tokens) => tokens,
            None => remote.ask_context().await?,
        };
        Ok(remote)
    }

    /// `max_model_len` of `/models`.
    async fn ask_context(&self) -> Result<usize, ConnectError> {
        let listed = self.ask(self.http.get(format!("{}/models", self.url))).await;
        let listed = listed.map_err(|reason| ConnectError::Away { url: self.url.clone(), reason })?;
        context_of(&self.model, &listed).map_err(|reason| {
            let (url, model) = (self.url.clone(), self.model.clone());
            ConnectError::NoContext { url, model, reason }
        })
    }

    /// A short question with a JSON answer.
    async fn ask(&self, question: RequestBuilder) -> Result<Value, String> {
        let answer = async {
            let response = self.with_key(question).send().await.map_err(|error| reason(&error))?;
            let response = response.error_for_status().map_err(|error| reason(&error))?;
            let bytes = body(response).await?;
            serde_json::from_slice(&bytes).map_err(|error| format!("its answer is not JSON: {error}"))
        };
        timeout(QUESTION_TIMEOUT, answer).await.unwrap_or_else(|_| Err("it does not answer".to_owned()))
    }

    /// A turn within the request's deadline, and the answer as JSON. A server that is full or away is asked again.
    async fn complete(&self, request: &ChatRequest, outcomes: Outcomes) -> Result<Value, ReplyError> {
        let body = request::body(&self.model, request, outcomes)?.to_string();
        loop {
            let (wait, why) = match self.complete_once(request, body.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing { wait, why }) => (wait.unwrap_or(PAUSE).max(PAUSE), why),
            };
            // What is to come after the clock's end is to come too late.
            let again_at = Instant::now().checked_add(wait);
            let in_time = |again_at| request.deadline.is_some_and(|deadline| again_at < deadline);
            if !again_at.is_some_and(in_time) {
                return Err(ReplyError::Unavailable(why));
            }
            sleep(wait).await;
        }
    }

    async fn complete_once(&self, request: &ChatRequest, json: String) -> Result<Value, Trouble> {
        let question = self.http.post(format!("{}/chat/completions", self.url));
        let question = self.with_key(self.with_extensions(question, request));
        let question = question.header(CONTENT_TYPE, "application/json").body(json);
        let response = question.send().await.map_err(|error| match error.is_connect() {
            true => Trouble::Passing { wait: None, why: reason(&error) },
            false => failed(reason(&error)),
        })?;
        let (status, wait) = (response.status(), retry_after(response.headers(), std::time::SystemTime::now()));
        let bytes = body(response).await.map_err(failed)?;
        if !status.is_success() {
            let tokens = estimate(&request.messages, &request.callable);
            return Err(trouble(status, wait, &bytes, tokens, self.context_tokens));
        }
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("its answer is not JSON: {error}")))
    }

    /// What another Talon is told beyond OpenAI's interface.
    fn with_extensions(&self, question: RequestBuilder, request: &ChatRequest) -> RequestBuilder {
        if self.kind == RemoteKind::OpenAi {
            return question;
        }
        let mut question = question.header("x-talon-priority", request.class.as_str());
        if let Some(deadline) = request.deadline {
            let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
            question = question.header("x-talon-deadline-ms", left.to_string());
        }
        if request.cache_salt != CacheSalt::default() {
            question = question.header("x-talon-cache-salt", format!("{:016x}", request.cache_salt.0));
        }
        question
    }

    fn with_key(&self, question: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => question.header(AUTHORIZATION, key.clone()),
            None => question,
        }
    }

    /// The turn. Many servers cannot let a model choose between a call and an answer in a form: they are asked for a call
    /// or text, and if it is a text in another form, once more for the answer alone.
    async fn turn(&self, request: &ChatRequest) -> Result<ChatReply, ReplyError> {
        let is_split = self.kind == RemoteKind::OpenAi
            && request::may_call(request)
            && matches!(request.answer, AnswerForm::Json(_));
        let outcomes = if is_split { Outcomes::CallsOrText } else { Outcomes::Any };
        let first = reply::reply(&self.complete(request, outcomes).await?, request)?;
        let ReplyContent::Answer(text) = &first.content else { return Ok(first) };
        match reply::check_answer(text, &request.answer) {
            Ok(()) => Ok(first),
            Err(_) if is_split => {
                let mut second = reply::reply(&self.complete(request, Outcomes::Answer).await?, request)?;
                if let ReplyContent::Answer(text) = &second.content {
                    reply::check_answer(text, &request.answer)?;
                }
                second.usage = sum(first.usage, second.usage);
                Ok(second)
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Generate for RemoteChat {
    fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    /// Counted by another Talon; for any other server an estimate on the safe side.
    async fn count_tokens(&self, messages: Vec<Message>, tools: Arc<[ToolDefinition]>) -> usize {
        if self.kind == RemoteKind::Talon {
            let root = self.url.strip_suffix("/v1").unwrap_or(&self.url);
            let conversation = json!({
                "model": self.model, "messages": request::messages(&messages), "tools": request::tools(&tools),
            });
            let question = self.http.post(format!("{root}/tokenize")).json(&conversation);
            match self.ask(question).await.map(|answer| answer["count"].as_u64()) {
                Ok(Some(count)) => return usize::try_from(count).unwrap_or(usize::MAX),
                Ok(None) => tracing::debug!(url = %self.url, "no count of tokens; estimated"),
                Err(why) => tracing::debug!(url = %self.url, why, "no count of tokens; estimated"),
            }
        }
        estimate(&messages, &tools)
    }

    async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError> {
        let turn = match request.deadline {
            None => self.turn(&request).await,
            Some(deadline) => timeout_at(deadline.into(), self.turn(&request))
                .await
                .unwrap_or(Err(ReplyError::Deadline { usage: Usage::default() })),
        };
        let at = |why: String| format!("{} at {}: {why}", self.model, self.url);
        turn.map_err(|error| match error {
            ReplyError::Failed(why) => ReplyError::Failed(at(why)),
            ReplyError::Unavailable(why) => ReplyError::Unavailable(at(why)),
            ReplyError::BadRequest(why) => ReplyError::BadRequest(at(why)),
            ReplyError::BadSchema(why) => ReplyError::BadSchema(at(why)),
            other @ (ReplyError::TooLong { .. }
            | ReplyError::Overloaded { .. }
            | ReplyError::Deadline { .. }
            | ReplyError::LengthLimit { .. }
            | ReplyError::Stopped) => other,
        })
    }
}

/// What a list of models says that `model` holds.
fn context_of(model: &str, listed: &Value) -> Result<usize, String> {
    let models = listed["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = || models.iter().filter_map(|model| model["id"].as_str()).collect::<Vec<_>>().join(", ");
    let found = models.iter().find(|known| known["id"] == model);
    let found = found.ok_or_else(|| format!("it has no model of that name, but {}", names()))?;
    let tokens = found["max_model_len"].as_u64().ok_or("its list of models has no max_model_len")?;
    usize::try_from(tokens).map_err(|error| error.to_string())
}

/// Connections to one server, and to no other that it may point to.
fn client(url: &str) -> reqwest::Result<Client> {
    // Fails when the binary installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("talon/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT);
    // Only https needs the system's certificates, which a bare container lacks.
    if url.starts_with("https:") { builder.build() } else { builder.tls_certs_only([]).build() }
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if MAX_ANSWER < bytes.len() + chunk.len() {
            return Err(format!("its answer has more than {MAX_ANSWER} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn failed(why: String) -> Trouble {
    Trouble::Final(ReplyError::Failed(why))
}

fn estimate(messages: &[Message], tools: &[ToolDefinition]) -> usize {
    (request::messages(messages).to_string().len() + request::tools(tools).to_string().len()) / BYTES_PER_TOKEN
}

fn sum(first: Usage, second: Usage) -> Usage {
    Usage {
        prompt_tokens: first.prompt_tokens + second.prompt_tokens,
        cached_tokens: first.cached_tokens + second.cached_tokens,
        completion_tokens: first.completion_tokens + second.completion_tokens,
    }
}
