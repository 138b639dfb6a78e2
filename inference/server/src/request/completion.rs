//! `POST /v1/completions`, the way in.

use axum::http::HeaderMap;
use inference::{ChatModel, CompleteRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use super::generation::{Delivery, Generation, GenerationFields, Own};
use super::prompt::Prompt;
use crate::Options;
use crate::body::Body;
use crate::refusal::Refusal;

/// OpenAI's default.
const DEFAULT_MAX_TOKENS: usize = 16;
/// The most answers of a request, to all its prompts.
const MAX_ANSWERS: usize = 128;

/// Text that the model goes on with, without any chat's format.
#[derive(ToSchema)]
pub(crate) struct CompletionRequest {
    #[serde(flatten)]
    own: CompletionFields,
    #[serde(flatten)]
    generation: GenerationFields,
}

/// Parameters of plain completions.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CompletionFields {
    /// What is gone on with; a text gets the token in front that begins every prompt, tokens are taken as they are.
    prompt: Prompt,
    /// Each token of an answer comes with its log-probability and those of so many most probable ones.
    #[schema(maximum = 20)]
    logprobs: Option<usize>,
    /// Only false is taken.
    echo: Option<bool>,
}

/// What to ask of the model.
pub(crate) struct Completion {
    /// One for each answer, those to the first prompt first.
    pub(crate) requests: Vec<CompleteRequest>,
    /// How many of them belong to one prompt.
    pub(crate) answers_per_prompt: usize,
    pub(crate) delivery: Delivery,
}

impl TryFrom<Body> for CompletionRequest {
    type Error = Refusal;

    fn try_from(body: Body) -> Result<Self, Refusal> {
        let (own, generation) = body.read_both()?;
        Ok(CompletionRequest { own, generation })
    }
}

impl CompletionRequest {
    /// Which model is asked.
    pub(crate) fn model(&self) -> &str {
        &self.generation.model
    }

    /// The same, checked and in the engine's words.
    pub(crate) fn check(
        self,
        model: &ChatModel,
        headers: &HeaderMap,
        options: &Options,
    ) -> Result<Completion, Refusal> {
        let CompletionRequest { own, generation } = self;
        if own.echo == Some(true) {
            let message = "the prompt is not echoed; leave echo out and put the prompt in front";
            return Err(Refusal::invalid("echo", "unsupported_value", message));
        }
        let limits = Own { max_tokens: generation.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS), logprobs: own.logprobs };
        let prompts = own.prompt.check()?;
        let Generation { params, answer, stop, delivery, routing } =
            generation.check(model, headers, options, limits)?;
        let num_answers = prompts.len() * params.len();
        if num_answers > MAX_ANSWERS {
            let message = format!("prompt and n ask for {num_answers} answers but at most {MAX_ANSWERS} are given");
            return Err(Refusal::invalid("n", "invalid_value", message));
        }
        let request = |prompt: &_, params: &_| CompleteRequest {
            prompt: Clone::clone(prompt),
            answer: answer.clone(),
            params: Clone::clone(params),
            stop: stop.clone(),
            class: routing.class,
            cache_salt: routing.cache_salt,
            deadline: routing.deadline,
        };
        let requests = prompts.iter().flat_map(|prompt| params.iter().map(|params| request(prompt, params))).collect();
        Ok(Completion { requests, answers_per_prompt: params.len(), delivery })
    }
}
