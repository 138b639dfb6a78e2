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
use std::time::{SystemTime, UNIX_EPOCH};

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

type Models = Arc<BTreeMap<String, ChatModel>>;

/// `GET /v1/models` and `POST /v1/chat/completions` for models by name. Has no fallback, so that it can be merged into
/// a larger router.
pub fn router(models: BTreeMap<String, ChatModel>) -> Router {
    Router::new()
        .route("/v1/models", get(list))
        .route("/v1/chat/completions", post(complete))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(models))
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

async fn list(State(models): State<Models>) -> Json<ModelList> {
    let entry = |(id, model): (&String, &ChatModel)| ModelEntry {
        id: id.clone(),
        object: "model",
        // Model files do not say when they were made.
        created: 0,
        owned_by: "talon",
        max_model_len: model.info().context_len,
    };
    Json(ModelList { object: "list", data: models.iter().map(entry).collect() })
}

/// A caller who goes away drops this future, and with it the sequence.
async fn complete(
    State(models): State<Models>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Completion>, Refusal> {
    let request = CompletionRequest::read(&body?)?;
    let name = request.model.clone();
    let model = models.get(&name).ok_or_else(|| Refusal::unknown_model(&name, models.keys()))?;
    let reply = model.reply(request.into_chat(model.info())?).await?;
    Ok(Json(Completion::new(name, reply, seconds_since_1970())))
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
