//! A model that follows a script and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use inference::{
    ChatReply, ChatRequest, Message, ReplyContent, ReplyError, ReplyFinish, ToolCall, ToolDefinition, Usage,
};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use worker::Generate;

use crate::world::PATIENCE;

/// What one turn does.
#[derive(Clone)]
pub enum Turn {
    Answer(String),
    Call(&'static str, Value),
    Fail(ReplyError),
    Panic(&'static str),
    /// Waits for a permit of the gate, then answers.
    Gated(&'static str),
    /// As an engine whose thread sees the request's deadline, and no other, pass first.
    UntilDeadline,
}

pub fn answer(text: &str) -> Turn {
    Turn::Answer(text.to_owned())
}

pub fn lookup(query: &str) -> Turn {
    Turn::Call("lookup", json!({ "query": query }))
}

/// Follows its turns, and answers `done` when there are none left. A token is a character.
pub struct Scripted {
    turns: Mutex<VecDeque<Turn>>,
    rest: Turn,
    context_tokens: usize,
    requests: Mutex<Vec<ChatRequest>>,
    generating: watch::Sender<usize>,
    pub gate: Semaphore,
}

impl Scripted {
    pub fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Scripted {
            turns: Mutex::new(turns.into_iter().collect()),
            rest: answer("done"),
            context_tokens: 100_000,
            requests: Mutex::default(),
            generating: watch::Sender::new(0),
            gate: Semaphore::new(0),
        }
    }

    /// The same turn for ever.
    pub fn always(turn: Turn) -> Self {
        Scripted { rest: turn, ..Scripted::new([]) }
    }

    /// A model that can hold so many tokens.
    pub fn of_context(context_tokens: usize) -> Self {
        Scripted { context_tokens, ..Scripted::new([]) }
    }

    /// One more turn at the end.
    pub fn push(&self, turn: Turn) {
        self.turns.lock().unwrap().push_back(turn);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// The messages of the nth request.
    pub fn messages(&self, request: usize) -> Vec<Message> {
        self.requests()[request].messages.clone()
    }

    /// Waits until exactly so many generations are under way.
    pub async fn generating(&self, number: usize) {
        let mut generating = self.generating.subscribe();
        let reached = tokio::time::timeout(PATIENCE, generating.wait_for(|now| *now == number)).await;
        assert!(reached.is_ok(), "{} generations are under way, not {number}", *self.generating.borrow());
    }
}

/// Counts a generation for as long as its future lives.
struct Generating<'a>(&'a watch::Sender<usize>);

impl Drop for Generating<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|number| *number -= 1);
    }
}

/// A character is a token.
fn length_of(messages: &[Message]) -> usize {
    messages.iter().map(text_of).map(|text| text.chars().count()).sum()
}

#[async_trait]
impl Generate for Scripted {
    fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    async fn count_tokens(&self, messages: Vec<Message>, _: Arc<[ToolDefinition]>) -> usize {
        length_of(&messages)
    }

    async fn reply(&self, request: ChatRequest) -> Result<ChatReply, ReplyError> {
        let turn = self.turns.lock().unwrap().pop_front().unwrap_or_else(|| self.rest.clone());
        let prompt_tokens = length_of(&request.messages);
        let (room, deadline) = (request.params.max_new_tokens, request.deadline.unwrap());
        self.requests.lock().unwrap().push(request);
        self.generating.send_modify(|number| *number += 1);
        let _generating = Generating(&self.generating);
        let spent = |completion_tokens| Usage { prompt_tokens, cached_tokens: 0, completion_tokens };
        let (content, finish) = match turn {
            Turn::Answer(text) if room < text.len() => {
                return Err(ReplyError::LengthLimit { usage: spent(room) });
            }
            Turn::Answer(text) => (ReplyContent::Answer(text), ReplyFinish::Stop),
            Turn::Call(name, arguments) => {
                let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
                let call = ToolCall { id: "call00001".to_owned(), name: name.to_owned(), arguments };
                (ReplyContent::ToolCalls(vec![call]), ReplyFinish::ToolCalls)
            }
            Turn::Fail(error) => return Err(error),
            Turn::Panic(words) => panic!("{words}"),
            Turn::Gated(text) => {
                self.gate.acquire().await.unwrap().forget();
                (ReplyContent::Answer(text.to_owned()), ReplyFinish::Stop)
            }
            Turn::UntilDeadline => {
                // A thread's sleep ends closer to its time than a timer of the runtime.
                let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(5));
                tokio::task::spawn_blocking(move || std::thread::sleep(left)).await.unwrap();
                return Err(ReplyError::Deadline { usage: spent(1) });
            }
        };
        let completion_tokens = match &content {
            ReplyContent::Answer(text) => text.len(),
            ReplyContent::ToolCalls(_) => 10,
        };
        Ok(ChatReply { content, usage: spent(completion_tokens), finish })
    }
}

pub fn text_of(message: &Message) -> String {
    match message {
        Message::System(text) | Message::User(text) | Message::Assistant(text) => text.clone(),
        Message::ToolCalls(calls) => calls.iter().map(|call| json!(call.arguments).to_string()).collect(),
        Message::ToolResult { content, .. } => content.as_str().map_or_else(|| content.to_string(), str::to_owned),
    }
}

pub type Model = Arc<Scripted>;
