//! Log-probabilities: the form of chats, and the older one of plain completions.

use std::collections::BTreeMap;

use inference::{TokenLogprobs, TokenPiece};
use serde::Serialize;
use utoipa::ToSchema;

/// JSON has no infinity; OpenAI's number in its place.
const IMPOSSIBLE: f32 = -9999.0;

/// Of each token of a chat's answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatLogprobs {
    content: Vec<ChatToken>,
    #[schema(value_type = Option<Object>)]
    refusal: Option<()>,
}

/// A token and its rivals.
#[derive(Serialize, ToSchema)]
struct ChatToken {
    #[serde(flatten)]
    chosen: ChatRival,
    top_logprobs: Vec<ChatRival>,
}

/// A token and how probable it was.
#[derive(Serialize, ToSchema)]
struct ChatRival {
    /// Its text; replacement characters where it is a part of a character.
    token: String,
    /// Natural logarithm of the probability that the model gave it, before temperature, penalties and grammar.
    logprob: f32,
    /// Its bytes, to be joined where characters are split.
    bytes: Vec<u8>,
}

impl ChatLogprobs {
    /// None where none were asked for.
    pub(crate) fn of(tokens: Vec<TokenLogprobs>) -> Option<Self> {
        if tokens.is_empty() {
            return None;
        }
        let content = tokens.into_iter().map(|TokenLogprobs { token, logprob, top }| ChatToken {
            chosen: ChatRival::new(token, logprob),
            top_logprobs: top.into_iter().map(|(token, logprob)| ChatRival::new(token, logprob)).collect(),
        });
        Some(ChatLogprobs { content: content.collect(), refusal: None })
    }
}

impl ChatRival {
    fn new(token: TokenPiece, logprob: f32) -> Self {
        ChatRival { token: token.text, logprob: logprob.max(IMPOSSIBLE), bytes: token.bytes }
    }
}

/// Of each token of a plain completion, in lists of the same length.
#[derive(Serialize, ToSchema)]
pub(crate) struct TextLogprobs {
    tokens: Vec<String>,
    /// Natural logarithms, as in chats.
    token_logprobs: Vec<f32>,
    /// The most probable tokens by their text, the chosen one among them.
    top_logprobs: Vec<BTreeMap<String, f32>>,
    /// Where each token begins in the answer, in characters.
    text_offset: Vec<usize>,
}

impl TextLogprobs {
    /// None where none were asked for. `offset` is where the first token begins, and then where the last one ends.
    pub(crate) fn of(tokens: Vec<TokenLogprobs>, offset: &mut usize) -> Option<Self> {
        if tokens.is_empty() {
            return None;
        }
        let mut all =
            TextLogprobs { tokens: vec![], token_logprobs: vec![], top_logprobs: vec![], text_offset: vec![] };
        for TokenLogprobs { token, logprob, top } in tokens {
            let mut rivals = BTreeMap::new();
            for (text, logprob) in
                top.into_iter().map(|(rival, it)| (rival.text, it)).chain([(token.text.clone(), logprob)])
            {
                // Tokens may have one text: the more probable one has come before.
                rivals.entry(text).or_insert(logprob.max(IMPOSSIBLE));
            }
            all.text_offset.push(*offset);
            // Characters count where they begin; control tokens have a name, but no text.
            *offset += token.bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count();
            all.tokens.push(token.text);
            all.token_logprobs.push(logprob.max(IMPOSSIBLE));
            all.top_logprobs.push(rivals);
        }
        Some(all)
    }
}
