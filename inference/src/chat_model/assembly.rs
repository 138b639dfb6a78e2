//! From tokens to what they say: decides whether a reply is an answer or calls, and takes it in token by token. Pure.

use std::sync::Arc;

use super::answer::{Answer, Flow};
use super::calls::Calls;
use super::{ReplyEvent, ReplyFinish, TokenLogprobs, TokenPiece};
use crate::engine::Logprobs;
use crate::tokenizer::{Detokenizer, TokenId, Tokenizer};

/// A reply while it is written.
pub(super) struct Assembly {
    tokenizer: Arc<Tokenizer>,
    /// The token that calls begin with, where the reply may hold some.
    tool_calls: Option<TokenId>,
    detokenizer: Detokenizer,
    content: Content,
    is_begun: bool,
}

enum Content {
    Answer(Answer),
    Calls(Calls),
}

impl Assembly {
    pub(super) fn new(tokenizer: Arc<Tokenizer>, tool_calls: Option<TokenId>, answer: Answer) -> Self {
        let (detokenizer, content) = (Detokenizer::default(), Content::Answer(answer));
        Assembly { tokenizer, tool_calls, detokenizer, content, is_begun: false }
    }

    /// What a token brings. Fails on calls that are not spelled as the grammar has them.
    pub(super) fn push(&mut self, id: TokenId, logprobs: Option<Logprobs>) -> Result<(Vec<ReplyEvent>, Flow), String> {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        if is_first && self.tool_calls == Some(id) {
            self.content = Content::Calls(Calls::default());
            return Ok((Vec::new(), Flow::Open));
        }
        let text = self.detokenizer.push(&self.tokenizer, id);
        match &mut self.content {
            Content::Answer(answer) => {
                let token = logprobs.map(|logprobs| token_logprobs(&self.tokenizer, id, logprobs));
                let (event, flow) = answer.push(&text, token);
                Ok((event.into_iter().collect(), flow))
            }
            Content::Calls(calls) => {
                let events = calls.push(&text).map_err(|error| format!("unreadable tool call: {error}"))?;
                Ok((events, Flow::Open))
            }
        }
    }

    /// What is left when the model has come to its end. Fails in the middle of a call.
    pub(super) fn finish(self) -> Result<(Option<ReplyEvent>, ReplyFinish), String> {
        match self.content {
            Content::Answer(answer) => Ok((answer.finish(&self.detokenizer.finish()), ReplyFinish::Stop)),
            Content::Calls(calls) if calls.is_complete() => Ok((None, ReplyFinish::ToolCalls)),
            Content::Calls(_) => Err("the model ended in the middle of a tool call".to_owned()),
        }
    }

    /// What is left when the reply is cut short.
    pub(super) fn cut(self) -> Option<ReplyEvent> {
        match self.content {
            Content::Answer(answer) => answer.finish(&self.detokenizer.finish()),
            Content::Calls(_) => None,
        }
    }
}

fn token_logprobs(tokenizer: &Tokenizer, id: TokenId, logprobs: Logprobs) -> TokenLogprobs {
    let top = logprobs.top.into_iter().map(|(id, logprob)| (piece(tokenizer, id), logprob)).collect();
    TokenLogprobs { token: piece(tokenizer, id), logprob: logprobs.chosen, top }
}

fn piece(tokenizer: &Tokenizer, id: TokenId) -> TokenPiece {
    let bytes = tokenizer.vocab().bytes(id);
    let text = tokenizer.control_name(id).map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), str::to_owned);
    TokenPiece { id, text, bytes }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::grammar::Lead;
    use crate::model::Model;

    const CALLS: &str = r#" [{"name": "a €", "arguments": {"x": "ä} \" 🦀", "y": [1, {}]}, "id": "aB3dE6gH9"}, {"name": "b", "arguments": {}, "id": "aB3dE6gH9"}]"#;
    const ANSWER: &str = " A text of 漢字 and 🦀🦀 with ends, END, and more.";

    /// All that tokens say: the answer, and of the calls names and arguments.
    fn said(tokenizer: &Arc<Tokenizer>, tokens: &[TokenId], stops: &[&str]) -> (String, Option<ReplyFinish>) {
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let tool_calls = tokenizer.control("[TOOL_CALLS]");
        let mut assembly = Assembly::new(tokenizer.clone(), tool_calls, Answer::new(stops, Lead::Space));
        let mut said = String::new();
        let mut add = |event: ReplyEvent| match event {
            ReplyEvent::Text { text, .. } | ReplyEvent::Arguments { text, .. } => said.push_str(&text),
            ReplyEvent::CallBegins { name, index, .. } => said.push_str(&format!("|{index} {name}: ")),
            ReplyEvent::Finished { .. } => panic!("{event:?}"),
        };
        for token in tokens {
            let (events, flow) = assembly.push(*token, None).unwrap();
            events.into_iter().for_each(&mut add);
            if flow == Flow::Stopped {
                return (said, None);
            }
        }
        let (event, finish) = assembly.finish().unwrap();
        event.into_iter().for_each(&mut add);
        (said, Some(finish))
    }

    /// Tokens of a text, each chosen among all that go on with it.
    fn any_tokens(tokenizer: &Tokenizer, text: &str, random: &mut StdRng) -> Vec<TokenId> {
        let pieces: Vec<(TokenId, Vec<u8>)> =
            (0..tokenizer.vocab_size() as u32).map(|id| (TokenId(id), tokenizer.vocab().bytes(TokenId(id)))).collect();
        let (mut rest, mut tokens) = (text.as_bytes(), Vec::new());
        while !rest.is_empty() {
            let goes_on = |(_, bytes): &&(TokenId, Vec<u8>)| !bytes.is_empty() && rest.starts_with(bytes);
            let fitting: Vec<_> = pieces.iter().filter(goes_on).collect();
            let (id, bytes) = fitting.choose(random).unwrap();
            tokens.push(*id);
            rest = &rest[bytes.len()..];
        }
        tokens
    }

    #[test]
    fn every_way_to_spell_a_reply_in_tokens_says_the_same() {
        let model = Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pocket/pocket.gguf")).unwrap();
        let tokenizer = &model.tokenizer;
        let tool_calls = tokenizer.control("[TOOL_CALLS]").unwrap();
        let mut random = StdRng::seed_from_u64(31);
        for _ in 0..100 {
            let calls = [vec![tool_calls], any_tokens(tokenizer, CALLS, &mut random)].concat();
            let expected = r#"|0 a €: {"x": "ä} \" 🦀", "y": [1, {}]}|1 b: {}"#.to_owned();
            assert_eq!(said(tokenizer, &calls, &[]), (expected, Some(ReplyFinish::ToolCalls)));

            let answer = any_tokens(tokenizer, ANSWER, &mut random);
            assert_eq!(said(tokenizer, &answer, &["none"]), (ANSWER[1..].to_owned(), Some(ReplyFinish::Stop)));
            let cut = ANSWER[1..].split("END").next().unwrap().to_owned();
            assert_eq!(said(tokenizer, &answer, &["🦀x", "END"]), (cut, None));

            let num_tokens = random.random_range(1..calls.len());
            let mut assembly = Assembly::new(tokenizer.clone(), Some(tool_calls), Answer::default());
            calls[..num_tokens].iter().for_each(|token| drop(assembly.push(*token, None).unwrap()));
            assert!(assembly.finish().is_err());
        }
    }
}
