//! OpenAI-compatible HTTP routes over engines. Translates both ways and decides nothing: what is enforced, is enforced
//! by the engine's grammars. Knows no tasks and no agents.
//!
//! Reading order: [`router`], `request.rs`, `completion.rs`, `refusal.rs`.

mod completion;
mod message;
mod refusal;
mod request;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use inference::ChatModel;
use serde::Serialize;

use completion::Completion;
use refusal::Refusal;
use request::CompletionRequest;

/// The largest body: more text than any context holds.
const MAX_BODY_BYTES: usize = 8 << 20;

type Served = Arc<Serving>;

struct Serving {
    models: BTreeMap<String, ChatModel>,
    request_timeout: Duration,
}

/// `GET /v1/models` and `POST /v1/chat/completions` for models by name; a completion is given up after
/// `request_timeout`. Has no fallback, so that it can be merged into a larger router.
pub fn router(models: BTreeMap<String, ChatModel>, request_timeout: Duration) -> Router {
    Router::new()
        .route("/v1/models", get(list))
        .route("/v1/chat/completions", post(complete))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(Serving { models, request_timeout }))
}

#[derive(Serialize)]
struct ModelList {
    object: &'static str,
    data: Vec<ModelEntry>,
}

#[derive(Serialize)]
struct ModelEntry {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    /// Prompt and answer together; the name is vLLM's.
    max_model_len: usize,
}

async fn list(State(served): State<Served>) -> Json<ModelList> {
    let entry = |(id, model): (&String, &ChatModel)| ModelEntry {
        id: id.clone(),
        object: "model",
        // Model files do not say when they were made.
        created: 0,
        owned_by: "talon",
        max_model_len: model.info().context_len,
    };
    Json(ModelList { object: "list", data: served.models.iter().map(entry).collect() })
}

/// A caller who goes away drops this future, and with it the sequence.
async fn complete(
    State(served): State<Served>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Completion>, Refusal> {
    // A timeout beyond the clock's end is none.
    let deadline = Instant::now().checked_add(served.request_timeout);
    let request = CompletionRequest::read(&body?)?;
    let name = request.model.clone();
    let model = served.models.get(&name).ok_or_else(|| Refusal::unknown_model(&name, served.models.keys()))?;
    let reply = model.reply(request.into_chat(deadline)?).await?;
    Ok(Json(Completion::new(name, reply, seconds_since_1970())))
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
