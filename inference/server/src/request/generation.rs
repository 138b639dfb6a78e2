//! What chats and plain completions ask alike: how tokens are chosen, where an answer ends, how it is delivered.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use inference::{AnswerForm, ChatModel, InvalidParams, SamplingOptions, SamplingParams, TokenId};
use serde::Deserialize;
use types::TaskClass;
use utoipa::ToSchema;

use super::format::ResponseFormat;
use super::logit_bias;
use super::routing::Routing;
use super::stop::Stop;
use crate::Options;
use crate::refusal::Refusal;

/// The most answers to one prompt.
const MAX_ANSWERS: usize = 16;

/// Parameters of every generation.
#[derive(Deserialize, ToSchema)]
pub(crate) struct GenerationFields {
    /// A name that `GET /v1/models` lists.
    pub(crate) model: String,
    /// Tokens after which an answer is cut, with `finish_reason` `length`: 1,024 in chats, 16 in plain completions unless
    /// given. The context cuts it in any case.
    #[schema(minimum = 1)]
    pub(crate) max_tokens: Option<usize>,
    /// No answer ends by itself before so many tokens.
    min_tokens: Option<usize>,
    /// 0 is greedy; 1 unless given.
    #[schema(minimum = 0, maximum = 100)]
    temperature: Option<f32>,
    /// Only the most probable tokens whose shares add up to this are drawn from.
    #[schema(maximum = 1)]
    top_p: Option<f32>,
    /// Only so many of the most probable tokens are drawn from; 0 and -1 keep all.
    #[schema(minimum = -1)]
    top_k: Option<i64>,
    /// Only tokens at least this share as probable as the most probable one are drawn from.
    #[schema(minimum = 0, maximum = 1)]
    min_p: Option<f32>,
    /// Divides the logits of tokens in the prompt or the answer; 1 is none.
    #[schema(minimum = 0.01, maximum = 100)]
    repetition_penalty: Option<f32>,
    /// Taken from a token's logit for each time it is in the answer.
    #[schema(minimum = -2, maximum = 2)]
    frequency_penalty: Option<f32>,
    /// Taken from a token's logit once it is in the answer.
    #[schema(minimum = -2, maximum = 2)]
    presence_penalty: Option<f32>,
    /// Added to the logits of these tokens, from -100 to 100; 1,024 of them at most.
    logit_bias: Option<BTreeMap<String, f32>>,
    /// The same seed and request give the same answer; further answers to the prompt take the numbers that follow.
    seed: Option<i64>,
    /// Answers to each prompt.
    #[schema(minimum = 1, maximum = 16)]
    n: Option<usize>,
    /// Texts that end an answer, without being in it.
    stop: Option<Stop>,
    /// Tokens that end an answer, without being in it.
    stop_token_ids: Option<Vec<u32>>,
    /// What an answer has to look like.
    response_format: Option<ResponseFormat>,
    /// Whether the answer comes in pieces, as server-sent events.
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// Taken and not used.
    #[serde(rename = "user")]
    _user: Option<String>,
    /// How urgent it is; the header `x-talon-priority` comes first.
    priority: Option<TaskClass>,
    /// Milliseconds from now after which the answer is given up; the header `x-talon-deadline-ms` comes first.
    #[schema(minimum = 1)]
    deadline_ms: Option<u64>,
    /// Prompts share computed beginnings only with those of the same salt; the header `x-talon-cache-salt` comes first.
    cache_salt: Option<String>,
}

/// What a stream holds besides the answer.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    /// Whether a last chunk, without choices, tells the usage.
    include_usage: Option<bool>,
}

/// What a route decides for itself.
pub(crate) struct Own {
    pub(crate) max_tokens: usize,
    pub(crate) logprobs: Option<usize>,
}

/// The same, checked.
pub(crate) struct Generation {
    /// One for each answer to a prompt.
    pub(crate) params: Vec<SamplingParams>,
    pub(crate) answer: AnswerForm,
    pub(crate) stop: Vec<String>,
    pub(crate) delivery: Delivery,
    pub(crate) routing: Routing,
}

/// How answers reach the client.
#[derive(Clone, Copy)]
pub(crate) enum Delivery {
    Whole,
    Stream { include_usage: bool },
}

impl GenerationFields {
    pub(crate) fn check(
        self,
        model: &ChatModel,
        headers: &HeaderMap,
        options: &Options,
        own: Own,
    ) -> Result<Generation, Refusal> {
        let vocab_size = model.info().vocab_size;
        let sampling = SamplingOptions {
            temperature: self.temperature.unwrap_or(1.0),
            top_k: top_k(self.top_k)?,
            top_p: self.top_p.unwrap_or(1.0),
            min_p: self.min_p.unwrap_or(0.0),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            frequency_penalty: self.frequency_penalty.unwrap_or(0.0),
            presence_penalty: self.presence_penalty.unwrap_or(0.0),
            logit_bias: logit_bias::check(self.logit_bias.unwrap_or_default(), vocab_size)?,
            seed: self.seed.map_or_else(rand::random, i64::cast_unsigned),
            min_new_tokens: self.min_tokens.unwrap_or(0),
            max_new_tokens: own.max_tokens,
            stop_ids: stop_ids(self.stop_token_ids.unwrap_or_default(), vocab_size)?,
            logprobs: own.logprobs,
        };
        Ok(Generation {
            params: each_answer(&sampling, self.n.unwrap_or(1))?,
            answer: self.response_format.map_or(AnswerForm::Text, AnswerForm::from),
            stop: self.stop.map_or(Ok(Vec::new()), Stop::check)?,
            delivery: delivery(self.stream.unwrap_or(false), self.stream_options)?,
            routing: Routing::new(self.priority, self.deadline_ms, self.cache_salt, headers, options)?,
        })
    }
}

fn each_answer(sampling: &SamplingOptions, n: usize) -> Result<Vec<SamplingParams>, Refusal> {
    if !(1..=MAX_ANSWERS).contains(&n) {
        let message = format!("n is {n} but must be from 1 to {MAX_ANSWERS}");
        return Err(Refusal::invalid("n", "invalid_value", message));
    }
    let seeded = |index| SamplingOptions { seed: sampling.seed.wrapping_add(index), ..sampling.clone() };
    (0..n as u64).map(|index| SamplingParams::try_from(seeded(index)).map_err(unusable)).collect()
}

/// The engine's names of limits are longer.
fn unusable(error: InvalidParams) -> Refusal {
    let (name, message) = (error.name, error.to_string());
    Refusal::invalid(name.replace("_new_tokens", "_tokens"), "invalid_value", message.replace("_new_tokens", "_tokens"))
}

fn top_k(given: Option<i64>) -> Result<Option<usize>, Refusal> {
    match given {
        None | Some(-1 | 0) => Ok(None),
        Some(top_k) => usize::try_from(top_k).map(Some).map_err(|_| {
            let message = format!("top_k is {top_k} but must be at least 1, or 0 or -1 to keep all");
            Refusal::invalid("top_k", "invalid_value", message)
        }),
    }
}

fn stop_ids(ids: Vec<u32>, vocab_size: usize) -> Result<Vec<TokenId>, Refusal> {
    match ids.iter().find(|id| **id as usize >= vocab_size) {
        None => Ok(ids.into_iter().map(TokenId).collect()),
        Some(id) => {
            let message = format!("the model has no token {id}; its tokens are below {vocab_size}");
            Err(Refusal::invalid("stop_token_ids", "invalid_value", message))
        }
    }
}

fn delivery(stream: bool, options: Option<StreamOptions>) -> Result<Delivery, Refusal> {
    match (stream, options) {
        (false, None) => Ok(Delivery::Whole),
        (false, Some(_)) => {
            let message = "stream_options go with stream; set it, or leave them out";
            Err(Refusal::invalid("stream_options", "invalid_value", message))
        }
        (true, options) => {
            let include_usage = options.and_then(|options| options.include_usage).unwrap_or(false);
            Ok(Delivery::Stream { include_usage })
        }
    }
}
