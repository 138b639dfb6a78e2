//! What a server's refusal means for a turn: wait and ask again, or give it up, and as what. Pure.

use std::time::Duration;

use inference::ReplyError;
use reqwest::StatusCode;
use serde_json::Value;

/// Characters of a server's words that are kept.
const MAX_WORDS: usize = 300;

/// Why a turn has no answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// It passes by itself: the server is full, starts or is away. `Failed` with these words where there is no more time.
    Passing {
        /// How long the server asked to be left alone.
        wait: Option<Duration>,
        why: String,
    },
    /// The end of the turn.
    Final(ReplyError),
}

/// The meaning of a status that is no success. `tokens` is our count of the conversation, `max` what the model accepts.
pub(super) fn trouble(status: StatusCode, wait: Option<Duration>, body: &[u8], tokens: usize, max: usize) -> Trouble {
    let said = Said::read(body);
    let why = format!("{status}: {}", said.words);
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Trouble::Passing { wait, why },
        _ if said.is_too_long() => Trouble::Final(ReplyError::TooLong { tokens, max }),
        StatusCode::REQUEST_TIMEOUT => Trouble::Final(ReplyError::Failed(why)),
        _ if status.is_client_error() || status.is_redirection() => Trouble::Final(ReplyError::BadRequest(why)),
        _ => Trouble::Final(ReplyError::Failed(why)),
    }
}

/// An error's body, in OpenAI's form or vLLM's older one, or any text.
struct Said {
    words: String,
    /// `code` and `type`.
    names: Vec<String>,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let error = json.get("error").filter(|error| error.is_object()).unwrap_or(&json);
        let text = |key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
        let words = text("message").unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = match words.char_indices().nth(MAX_WORDS) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None if words.is_empty() => "no reason given".to_owned(),
            None => words,
        };
        Said { words, names: [text("code"), text("type")].into_iter().flatten().collect() }
    }

    /// OpenAI's and our code, llama-server's type, and vLLM's words.
    fn is_too_long(&self) -> bool {
        let named = |name: &String| ["context_length_exceeded", "exceed_context_size_error"].contains(&name.as_str());
        self.names.iter().any(named) || self.words.contains("maximum context length")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(status: u16, body: Value, expected: &str) {
        let status = StatusCode::from_u16(status).unwrap();
        let trouble = trouble(status, None, body.to_string().as_bytes(), 9, 5);
        let meaning = match trouble {
            Trouble::Passing { why, .. } => format!("passing {why}"),
            Trouble::Final(error) => error.to_string(),
        };
        assert!(meaning.contains(expected), "{meaning}");
    }

    #[test]
    fn a_full_or_starting_server_is_waited_for() {
        check(429, json!({"error": {"message": "busy"}}), "passing 429 Too Many Requests: busy");
        check(503, json!(null), "passing 503");
        let wait = Some(Duration::from_secs(3));
        let busy = trouble(StatusCode::TOO_MANY_REQUESTS, wait, b"later", 0, 0);
        assert_eq!(busy, Trouble::Passing { wait, why: "429 Too Many Requests: later".into() });
    }

    #[test]
    fn a_conversation_that_is_too_long_is_known_in_every_servers_words() {
        let ours = json!({"error": {"message": "shorten it", "code": "context_length_exceeded"}});
        let llama = json!({"error": {"code": 400, "message": "too big", "type": "exceed_context_size_error"}});
        let vllm =
            json!({"object": "error", "message": "This model's maximum context length is 5 tokens.", "code": 400});
        for body in [ours, llama, vllm] {
            check(400, body, "has 9 tokens but the model accepts 5");
        }
    }

    #[test]
    fn a_request_that_is_wrong_stays_wrong_and_a_servers_fault_may_pass() {
        for status in [301, 400, 401, 404, 422] {
            let trouble = trouble(StatusCode::from_u16(status).unwrap(), None, b"{}", 0, 0);
            assert!(matches!(trouble, Trouble::Final(ReplyError::BadRequest(_))), "{status}");
        }
        for status in [408, 500, 502, 504] {
            let trouble = trouble(StatusCode::from_u16(status).unwrap(), None, b"<html>", 0, 0);
            assert!(matches!(trouble, Trouble::Final(ReplyError::Failed(_))), "{status}");
        }
    }
}
