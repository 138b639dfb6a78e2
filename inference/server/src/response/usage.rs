//! Tokens read and written.

use inference::Usage;
use serde::Serialize;
use utoipa::ToSchema;

/// Tokens of all answers of a request; each prompt counts once.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = CompletionUsage)]
pub(crate) struct UsageView {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptTokensDetails,
}

/// Of the prompts' tokens, those that were computed before.
#[derive(Clone, Copy, Serialize, ToSchema)]
struct PromptTokensDetails {
    cached_tokens: usize,
}

/// The usage of a request whose answers used so much each; `answers_per_prompt` of them share a prompt.
pub(crate) fn total(usages: &[Usage], answers_per_prompt: usize) -> UsageView {
    let prompts = || usages.iter().step_by(answers_per_prompt.max(1));
    let prompt_tokens = prompts().map(|usage| usage.prompt_tokens).sum();
    let completion_tokens = usages.iter().map(|usage| usage.completion_tokens).sum();
    UsageView {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens + completion_tokens,
        prompt_tokens_details: PromptTokensDetails { cached_tokens: prompts().map(|usage| usage.cached_tokens).sum() },
    }
}
