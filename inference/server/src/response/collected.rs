//! A reply that is delivered as a whole.

use inference::{ReplyError, ReplyEvent, ReplyFinish, ReplyStream, TokenLogprobs, Usage};

/// Everything that a reply's events said.
pub(crate) struct Collected {
    pub(crate) text: String,
    pub(crate) tokens: Vec<TokenLogprobs>,
    pub(crate) calls: Vec<CollectedCall>,
    pub(crate) finish: ReplyFinish,
    pub(crate) usage: Usage,
}

/// A call whose arguments have all come.
pub(crate) struct CollectedCall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// Waits for the end.
pub(crate) async fn collect(mut reply: ReplyStream) -> Result<Collected, ReplyError> {
    let (mut text, mut tokens, mut calls) = (String::new(), Vec::new(), Vec::<CollectedCall>::new());
    while let Some(event) = reply.next().await {
        match event? {
            ReplyEvent::Text { text: more, tokens: of_it } => {
                text.push_str(&more);
                tokens.extend(of_it);
            }
            ReplyEvent::CallBegins { id, name, .. } => calls.push(CollectedCall { id, name, arguments: String::new() }),
            ReplyEvent::Arguments { index, text } => {
                calls.get_mut(index).into_iter().for_each(|call| call.arguments.push_str(&text));
            }
            ReplyEvent::Finished { finish, usage } => return Ok(Collected { text, tokens, calls, finish, usage }),
        }
    }
    Err(ReplyError::Failed("the reply has no end".to_owned()))
}
