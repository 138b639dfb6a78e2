//! A reply put together from its pieces.

use serde_json::{Map, Value};

use super::{ChatReply, ReplyContent, ReplyError, ReplyEvent, ReplyFinish};
use crate::chat::ToolCall;
use crate::engine::Usage;

/// What has come of a reply.
#[derive(Default)]
pub(super) struct Whole {
    answer: String,
    calls: Vec<Written>,
}

/// A call as far as it is written.
struct Written {
    id: String,
    name: String,
    arguments: String,
}

impl Whole {
    /// The reply, or why there is none, with the last piece.
    pub(super) fn add(&mut self, event: ReplyEvent) -> Option<Result<ChatReply, ReplyError>> {
        match event {
            ReplyEvent::Text { text, .. } => self.answer.push_str(&text),
            ReplyEvent::CallBegins { id, name, .. } => self.calls.push(Written { id, name, arguments: String::new() }),
            ReplyEvent::Arguments { index, text } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(&text);
                }
            }
            ReplyEvent::Finished { finish, usage } => return Some(std::mem::take(self).finish(finish, usage)),
        }
        None
    }

    fn finish(self, finish: ReplyFinish, usage: Usage) -> Result<ChatReply, ReplyError> {
        let content = match finish {
            ReplyFinish::Stop => ReplyContent::Answer(self.answer),
            ReplyFinish::ToolCalls => {
                ReplyContent::ToolCalls(self.calls.into_iter().map(Written::read).collect::<Result<_, _>>()?)
            }
            ReplyFinish::Length => return Err(ReplyError::LengthLimit { usage }),
        };
        Ok(ChatReply { content, usage, finish })
    }
}

impl Written {
    fn read(self) -> Result<ToolCall, ReplyError> {
        let Written { id, name, arguments } = self;
        let arguments: Map<String, Value> = serde_json::from_str(&arguments).map_err(|error| {
            ReplyError::Failed(format!("the arguments {arguments} of a call of {name} cannot be read: {error}"))
        })?;
        Ok(ToolCall { id, name, arguments })
    }
}
