//! One chat, streamed.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};

use crate::Error;
use crate::words::words;

/// How long it took, and how many tokens it was.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    /// Until the first text.
    pub(crate) first_token: Duration,
    pub(crate) whole: Duration,
    pub(crate) prompt_tokens: u64,
    pub(crate) new_tokens: u64,
}

/// A system prompt and a message, each of so many tokens.
pub(crate) struct Prompt {
    pub(crate) system: (u64, usize),
    pub(crate) user: (u64, usize),
}

impl Prompt {
    /// The greedy chat; more fields may be added.
    pub(crate) fn chat(&self, max_tokens: usize) -> Value {
        json!({
            "model": "pocket",
            "messages": [
                {"role": "system", "content": words(self.system.0, self.system.1)},
                {"role": "user", "content": words(self.user.0, self.user.1)},
            ],
            "temperature": 0,
            "max_tokens": max_tokens,
            "stream": true,
            "stream_options": {"include_usage": true},
        })
    }
}

/// Asks, and reads the stream to its end.
pub(crate) async fn ask(http: &reqwest::Client, url: &str, chat: &Value) -> Result<Answer, Error> {
    let began = Instant::now();
    let response = http.post(format!("{url}/v1/chat/completions")).json(chat).send().await?;
    if !response.status().is_success() {
        return Err(format!("{url} answers {}: {}", response.status(), response.text().await?).into());
    }
    let (mut first_token, mut usage, mut rest) = (None, Value::Null, Vec::new());
    let mut stream = response.bytes_stream();
    while let Some(bytes) = stream.next().await {
        rest.extend_from_slice(&bytes?);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Some(chunk) = line.strip_prefix(b"data: ").filter(|data| !data.starts_with(b"[DONE]")) else {
                continue;
            };
            let mut chunk: Value = serde_json::from_slice(chunk)?;
            if let Some(error) = chunk.get("error") {
                return Err(format!("{url} broke off: {error}").into());
            }
            if chunk["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty()) {
                first_token.get_or_insert_with(|| began.elapsed());
            }
            if chunk["usage"].is_object() {
                usage = chunk["usage"].take();
            }
        }
    }
    let count = |name: &str| usage[name].as_u64().ok_or_else(|| format!("{url} told no {name}"));
    Ok(Answer {
        first_token: first_token.ok_or("an answer had no text")?,
        whole: began.elapsed(),
        prompt_tokens: count("prompt_tokens")?,
        new_tokens: count("completion_tokens")?,
    })
}
