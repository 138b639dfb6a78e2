//! `POST /v1/completions`, the way out as a whole.

use serde::Serialize;
use utoipa::ToSchema;

use super::collected::Collected;
use super::envelope::Envelope;
use super::finish::FinishReason;
use super::logprobs::TextLogprobs;
use super::usage::{UsageView, total};

/// What the model went on with.
#[derive(Serialize, ToSchema)]
pub(crate) struct TextCompletion {
    #[schema(example = "cmpl-0123456789abcdef0123456789abcdef")]
    id: String,
    /// `text_completion`.
    object: &'static str,
    /// Seconds since 1970.
    created: u64,
    model: String,
    /// What the answers depend on besides the request.
    system_fingerprint: String,
    /// All answers to the first prompt, then those to the next.
    choices: Vec<TextAnswer>,
    usage: UsageView,
}

/// One answer.
#[derive(Serialize, ToSchema)]
struct TextAnswer {
    text: String,
    index: usize,
    logprobs: Option<TextLogprobs>,
    finish_reason: FinishReason,
}

impl TextCompletion {
    pub(crate) fn new(envelope: Envelope, answers: Vec<Collected>, answers_per_prompt: usize) -> Self {
        let usages: Vec<_> = answers.iter().map(|answer| answer.usage).collect();
        let answer = |(index, answer): (usize, Collected)| TextAnswer {
            text: answer.text,
            index,
            logprobs: TextLogprobs::of(answer.tokens, &mut 0),
            finish_reason: answer.finish.into(),
        };
        TextCompletion {
            id: envelope.id,
            object: "text_completion",
            created: envelope.created,
            model: envelope.model,
            system_fingerprint: envelope.system_fingerprint,
            usage: total(&usages, answers_per_prompt),
            choices: answers.into_iter().enumerate().map(answer).collect(),
        }
    }
}
