//! `POST /v1/chat/completions`, the way in.

use std::sync::Arc;
use std::time::Instant;

use inference::{CacheSalt, ChatRequest, InvalidParams, SamplingOptions, SamplingParams, ToolDefinition};
use serde::Deserialize;
use types::TaskClass;

use crate::message::{WireMessage, conversation};
use crate::refusal::Refusal;
use crate::schema::{Choice, ResponseFormat, Tool};

/// Tokens of an answer when the request does not say: a model that does not come to an end holds its place no longer.
const DEFAULT_MAX_TOKENS: usize = 1024;

/// What is understood of OpenAI's request; anything else is refused by name, since leaving it out could change the answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompletionRequest {
    pub(crate) model: String,
    messages: Vec<WireMessage>,
    #[serde(default)]
    tools: Vec<Tool>,
    #[serde(default)]
    tool_choice: Choice,
    #[serde(default)]
    response_format: Option<ResponseFormat>,
    #[serde(default)]
    max_tokens: Option<usize>,
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default)]
    top_p: Option<f32>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    stream: bool,
}

impl CompletionRequest {
    /// Reads a body, and names what does not fit.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let request: Self = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let (param, reason) = (error.path().to_string(), error.inner());
            if !reason.is_data() {
                return Refusal::unreadable(format!("the body is not valid JSON: {reason}; correct it there"));
            }
            let code =
                if reason.to_string().starts_with("unknown field") { "unknown_parameter" } else { "invalid_value" };
            Refusal::invalid(param, code, reason.to_string())
        })?;
        json.end().map_err(|error| Refusal::unreadable(format!("the body is not valid JSON: {error}")))?;
        Ok(request)
    }

    /// The turn to ask of the model. OpenAI's defaults: temperature 1 and another seed each time. The context ends an
    /// answer in any case.
    pub(crate) fn into_chat(self, deadline: Option<Instant>) -> Result<ChatRequest, Refusal> {
        if self.stream {
            let message = "stream is not supported yet; leave it out or send false";
            return Err(Refusal::invalid("stream", "unsupported_value", message));
        }
        let tools: Vec<ToolDefinition> = self.tools.into_iter().map(ToolDefinition::from).collect();
        let params = SamplingParams::try_from(SamplingOptions {
            temperature: self.temperature.unwrap_or(1.0),
            top_p: self.top_p.unwrap_or(1.0),
            seed: self.seed.map_or_else(rand::random, i64::cast_unsigned),
            max_new_tokens: self.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            ..SamplingOptions::default()
        });
        Ok(ChatRequest {
            messages: conversation(self.messages)?,
            callable: tools.clone(),
            tools,
            tool_choice: self.tool_choice.into(),
            answer: self.response_format.map(ResponseFormat::into_schema).transpose()?.flatten().as_ref().into(),
            material: Arc::default(),
            params: params.map_err(unusable)?,
            class: TaskClass::Normal,
            cache_salt: CacheSalt::default(),
            deadline,
        })
    }
}

fn unusable(error: InvalidParams) -> Refusal {
    let name = if error.name == "max_new_tokens" { "max_tokens" } else { error.name };
    let error = InvalidParams { name, ..error };
    Refusal::invalid(name, "invalid_value", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(max_tokens: &str, expected: usize) {
        let body = format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "x"}}]{max_tokens}}}"#);
        let Ok(request) = CompletionRequest::read(body.as_bytes()) else { panic!("{body} is refused") };
        let Ok(chat) = request.into_chat(None) else { panic!("{body} is refused") };
        assert_eq!(chat.params.max_new_tokens, expected);
    }

    #[test]
    fn an_answer_has_a_limit_even_if_the_request_has_none() {
        check("", DEFAULT_MAX_TOKENS);
        check(r#", "max_tokens": null"#, DEFAULT_MAX_TOKENS);
        check(r#", "max_tokens": 5000"#, 5000);
    }
}
