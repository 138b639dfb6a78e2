//! `POST /v1/chat/completions`, the way in.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use inference::{ChatModel, ChatRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use super::generation::{Delivery, Generation, GenerationFields, Own};
use super::message::{WireMessage, conversation};
use super::tools::{Calling, Choice, Tool};
use crate::Options;
use crate::body::Body;
use crate::refusal::Refusal;

/// Tokens of an answer when the request does not say: a model that does not come to an end holds its place no longer.
const DEFAULT_MAX_TOKENS: usize = 1024;
/// The most rivals that a token's log-probability is told with.
const MAX_TOP_LOGPROBS: usize = 20;

/// A conversation that the model goes on with.
#[derive(ToSchema)]
pub(crate) struct ChatCompletionRequest {
    #[serde(flatten)]
    own: ChatFields,
    #[serde(flatten)]
    generation: GenerationFields,
}

/// Parameters of chats.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChatFields {
    /// The conversation: messages of role system or developer first, then of user, assistant and tool.
    #[schema(min_items = 1)]
    messages: Vec<WireMessage>,
    /// What the model may call; 128 at most.
    #[schema(max_items = 128)]
    tools: Option<Vec<Tool>>,
    /// `auto` unless given.
    tool_choice: Option<Choice>,
    /// Whether a reply may hold several calls, 8 at most; true unless given.
    parallel_tool_calls: Option<bool>,
    /// The newer name of `max_tokens`.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<usize>,
    /// Whether each token of an answer comes with its log-probability.
    logprobs: Option<bool>,
    /// How many of the most probable tokens come with it; needs `logprobs`.
    #[schema(maximum = 20)]
    top_logprobs: Option<usize>,
    /// Taken and not used.
    #[serde(rename = "metadata")]
    _metadata: Option<BTreeMap<String, String>>,
    /// Only false is taken: nothing is stored.
    store: Option<bool>,
}

/// What to ask of the model.
pub(crate) struct Chat {
    /// One for each answer.
    pub(crate) requests: Vec<ChatRequest>,
    pub(crate) delivery: Delivery,
}

impl TryFrom<Body> for ChatCompletionRequest {
    type Error = Refusal;

    fn try_from(body: Body) -> Result<Self, Refusal> {
        let (own, generation) = body.read_both()?;
        Ok(ChatCompletionRequest { own, generation })
    }
}

impl ChatCompletionRequest {
    /// Which model is asked.
    pub(crate) fn model(&self) -> &str {
        &self.generation.model
    }

    /// The same, checked and in the engine's words.
    pub(crate) fn check(self, model: &ChatModel, headers: &HeaderMap, options: &Options) -> Result<Chat, Refusal> {
        let ChatCompletionRequest { own, generation } = self;
        if own.store == Some(true) {
            return Err(Refusal::invalid("store", "unsupported_value", "nothing is stored here; leave store out"));
        }
        let limits = Own { max_tokens: max_tokens(&own, &generation)?, logprobs: logprobs(&own)? };
        let messages = conversation(own.messages)?;
        let calling =
            Calling::new(own.tools.unwrap_or_default(), own.tool_choice, own.parallel_tool_calls.unwrap_or(true))?;
        let Generation { params, answer, stop, delivery, routing } =
            generation.check(model, headers, options, limits)?;
        let request = |params| ChatRequest {
            messages: messages.clone(),
            tools: calling.tools.clone(),
            callable: calling.callable.clone(),
            tool_choice: calling.tool_choice,
            max_calls: calling.max_calls,
            answer: answer.clone(),
            material: Arc::default(),
            params,
            stop: stop.clone(),
            class: routing.class,
            cache_salt: routing.cache_salt,
            deadline: routing.deadline,
        };
        Ok(Chat { requests: params.into_iter().map(request).collect(), delivery })
    }
}

fn max_tokens(own: &ChatFields, generation: &GenerationFields) -> Result<usize, Refusal> {
    match (own.max_completion_tokens, generation.max_tokens) {
        (Some(new), Some(old)) if new != old => {
            let message = format!("max_completion_tokens is {new} and max_tokens {old}; give one of them");
            Err(Refusal::invalid("max_completion_tokens", "invalid_value", message))
        }
        (new, old) => Ok(new.or(old).unwrap_or(DEFAULT_MAX_TOKENS)),
    }
}

fn logprobs(own: &ChatFields) -> Result<Option<usize>, Refusal> {
    let refuse = |message: String| Err(Refusal::invalid("top_logprobs", "invalid_value", message));
    match (own.logprobs.unwrap_or(false), own.top_logprobs) {
        (false, None) => Ok(None),
        (false, Some(_)) => refuse("top_logprobs needs logprobs; set it to true".to_owned()),
        (true, Some(top)) if top > MAX_TOP_LOGPROBS => {
            refuse(format!("top_logprobs is {top} but must be at most {MAX_TOP_LOGPROBS}"))
        }
        (true, top) => Ok(Some(top.unwrap_or(0))),
    }
}
