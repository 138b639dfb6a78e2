//! What comes in: wire types, each with the way to what the engine understands. What is not understood is refused by
//! name, since leaving it out could change the answer.

mod call_id;
mod chat;
mod completion;
mod content;
mod format;
mod generation;
mod logit_bias;
mod message;
mod prompt;
mod routing;
mod stop;
mod tokenize;
mod tools;

pub(crate) use chat::{Chat, ChatCompletionRequest};
pub(crate) use completion::{Completion, CompletionRequest};
pub(crate) use generation::Delivery;
pub(crate) use tokenize::{DetokenizeRequest, TokenizeRequest};
