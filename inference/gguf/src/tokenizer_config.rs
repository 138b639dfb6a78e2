//! `tokenizer_config.json`: the chat template, and the token that ends an answer.

use serde::Deserialize;

use crate::config::parse;
use crate::error::Problem;
use crate::vocab::{CONTROL, RawVocab};

#[derive(Default, Deserialize)]
pub(crate) struct TokenizerConfig {
    #[serde(default)]
    chat_template: Option<Template>,
    #[serde(default)]
    eos_token: Option<Token>,
}

/// One template, or several with names.
#[derive(Deserialize)]
#[serde(untagged)]
enum Template {
    Text(String),
    Named(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Name(String),
    Entry { content: String },
}

impl TokenizerConfig {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        parse(bytes)
    }

    /// Adds what it says. The end of an answer is a conversation's here, where config.json may name a text's.
    pub(crate) fn complete(self, vocab: &mut RawVocab) {
        vocab.chat_template = match self.chat_template {
            Some(Template::Text(text)) => Some(text),
            Some(Template::Named(templates)) => {
                templates.into_iter().find(|named| named.name == "default").map(|named| named.template)
            }
            None => None,
        };
        let Some(Token::Name(eos) | Token::Entry { content: eos }) = self.eos_token else { return };
        let is_eos = |(token, kind): (&String, &i32)| *token == eos && *kind == CONTROL;
        if let Some(id) = vocab.tokens.iter().zip(&vocab.token_types).position(is_eos) {
            vocab.eos = id as u32;
        }
    }
}
