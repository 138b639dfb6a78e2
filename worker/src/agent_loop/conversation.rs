//! The messages of one task on top of its session, and how room is made among them.

use inference::Message;
use serde_json::Value;
use types::DocumentId;

use crate::agent::Agent;
use crate::session::Session;

/// What stands in place of a tool result that was removed to make room.
const ELIDED: &str = "(removed to make room)";

/// Instructions, what the session kept, and this task's exchange.
pub(super) struct Conversation<'a> {
    agent: &'a Agent,
    session: &'a mut Session,
    exchange: Vec<Message>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(
        agent: &'a Agent,
        session: &'a mut Session,
        input: Option<&str>,
        documents: &[DocumentId],
    ) -> Self {
        Conversation { agent, session, exchange: vec![Message::User(user_message(input, documents))] }
    }

    pub(super) fn push(&mut self, message: Message) {
        self.exchange.push(message);
    }

    /// The whole conversation, as the model gets it.
    pub(super) fn messages(&self) -> Vec<Message> {
        let system = Message::System(self.agent.spec.instructions.clone());
        std::iter::once(system).chain(self.session.history().iter().cloned()).chain(self.exchange.clone()).collect()
    }

    /// Brings the conversation below the session's threshold if it can: earlier tasks are forgotten first, then this
    /// task's tool results but the last, the oldest first. Returns the tokens it has then.
    pub(super) async fn make_room(&mut self) -> usize {
        let threshold = self.session.limits().token_threshold();
        let mut tokens = self.count_tokens().await;
        if tokens > threshold && self.session.prune() {
            tokens = self.count_tokens().await;
        }
        while tokens > threshold && elide_oldest_result(&mut self.exchange) {
            tokens = self.count_tokens().await;
        }
        tokens
    }

    async fn count_tokens(&self) -> usize {
        self.agent.model.count_tokens(self.messages(), self.agent.definitions().clone()).await
    }

    /// This task's messages, for the session to keep.
    pub(super) fn into_exchange(self) -> Vec<Message> {
        self.exchange
    }
}

/// What the model reads of a task: its text and the ids of its documents.
fn user_message(input: Option<&str>, documents: &[DocumentId]) -> String {
    let ids = documents.iter().map(DocumentId::as_str).collect::<Vec<_>>().join(", ");
    match (input, documents.is_empty()) {
        (Some(input), true) => input.to_owned(),
        (Some(input), false) => format!("{input}\n\nDocuments: {ids}"),
        (None, _) => format!("Documents: {ids}"),
    }
}

/// Empties the oldest tool result that is neither empty yet nor the last one.
fn elide_oldest_result(exchange: &mut [Message]) -> bool {
    let mut results = exchange.iter_mut().filter_map(|message| match message {
        Message::ToolResult { content, .. } => Some(content),
        _ => None,
    });
    let mut candidate = results.next();
    for later in results {
        if let Some(content) = candidate.filter(|content| content.as_str() != Some(ELIDED)) {
            *content = Value::String(ELIDED.to_owned());
            return true;
        }
        candidate = Some(later);
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(text: &str) -> Message {
        Message::ToolResult { call_id: "call00001".into(), content: json!(text) }
    }

    #[test]
    fn the_model_reads_the_text_and_the_ids() {
        let ids: Vec<DocumentId> = vec!["doc_000000000001".parse().unwrap(), "doc_000000000002".parse().unwrap()];
        assert_eq!(user_message(Some("Hello"), &[]), "Hello");
        assert_eq!(user_message(None, &ids[..1]), "Documents: doc_000000000001");
        assert_eq!(user_message(Some("Hello"), &ids), "Hello\n\nDocuments: doc_000000000001, doc_000000000002");
    }

    #[test]
    fn room_is_made_from_the_oldest_result_and_the_last_one_stays() {
        let mut exchange = vec![Message::User("u".into()), result("first"), result("second"), result("third")];
        assert!(elide_oldest_result(&mut exchange));
        assert_eq!(exchange[1], result(ELIDED));
        assert!(elide_oldest_result(&mut exchange));
        assert_eq!(exchange[2], result(ELIDED));
        assert!(!elide_oldest_result(&mut exchange));
        assert_eq!(exchange[3], result("third"));
    }
}
