//! OpenAI-compatible HTTP routes over engines. Translates both ways and decides nothing: what is enforced, is enforced
//! by the engine's grammars. Knows no tasks and no agents.
//!
//! Reading order: [`router`], `routes/`, `request/`, `response/` (its `stream.rs` first), `refusal.rs`.

mod body;
mod description;
mod fields;
mod json;
mod refusal;
mod request;
mod response;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use inference::ChatModel;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use refusal::Refusal;
use routes::{chat, completions, detokenize, models, tokenize};

/// How the routes answer.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A request whose body has not come by then is refused, and an answer that has not come is given up.
    pub request_timeout: Duration,
    /// A stream in which nothing happens for so long gets a comment, so that nobody takes it for dead.
    pub keep_alive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { request_timeout: Duration::from_secs(120), keep_alive: Duration::from_secs(15) }
    }
}

type Served = Arc<Serving>;

struct Serving {
    models: BTreeMap<String, ChatModel>,
    options: Options,
}

impl Serving {
    fn model(&self, name: &str) -> Result<&ChatModel, Refusal> {
        self.models
            .get(name)
            .ok_or_else(|| Refusal::unknown_model(name, &self.models.keys().map(String::as_str).collect::<Vec<_>>()))
    }

    /// The only model where none is named.
    fn model_or_only(&self, name: Option<&str>) -> Result<&ChatModel, Refusal> {
        match (name, self.models.first_key_value()) {
            (Some(name), _) => self.model(name),
            (None, Some((_, only))) if self.models.len() == 1 => Ok(only),
            (None, _) => Err(Refusal::invalid("model", "missing_parameter", "name a model; /v1/models lists them")),
        }
    }
}

/// Every route stands here, so every route is in the document.
fn described() -> (Router<Served>, Document) {
    let (routes, document) = OpenApiRouter::with_openapi(description::begin())
        .routes(routes!(chat::create))
        .routes(routes!(completions::create))
        .routes(routes!(models::list))
        .routes(routes!(models::get))
        .routes(routes!(tokenize::tokenize))
        .routes(routes!(detokenize::detokenize))
        .split_for_parts();
    (routes, description::complete(document))
}

/// The routes for models by name, described. They have no fallback, so that they can be merged into a larger router.
pub fn router(models: BTreeMap<String, ChatModel>, options: Options) -> OpenApiRouter {
    let (routes, document) = described();
    let routes: Router = routes
        .method_not_allowed_fallback(async || Refusal::wrong_method())
        .with_state(Arc::new(Serving { models, options }));
    OpenApiRouter::with_openapi(document).merge(routes.into())
}

/// The same routes while models load: each says to come back in `retry_after` seconds.
pub fn loading(retry_after: u32) -> Router {
    let not_yet = move || async move { Refusal::loading(retry_after) };
    described().1.paths.paths.keys().fold(Router::new(), |router, path| router.route(path, any(not_yet)))
}
