//! Replies as server-sent events: all answers of a request in one stream, each piece with its answer's index.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all, unfold};
use inference::{ReplyError, ReplyEvent, ReplyStream, Usage};
use serde::Serialize;

use super::envelope::Envelope;
use super::usage::{UsageView, total};
use crate::refusal::Refusal;

/// Proxies that hold answers back let these through.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// How a route words its pieces.
pub(crate) trait Chunks: Send + 'static {
    /// What the chunks call themselves.
    const OBJECT: &'static str;
    /// More of one answer.
    type Piece: Serialize;
    /// What comes before anything of the answer `index`.
    fn begin(&self, index: usize) -> Option<Self::Piece>;
    /// What an event of the answer `index` is told as.
    fn piece(&mut self, index: usize, event: ReplyEvent) -> Option<Self::Piece>;
}

/// What a stream is made of.
pub(crate) struct Streaming<C> {
    pub(crate) envelope: Envelope,
    pub(crate) chunks: C,
    pub(crate) replies: Vec<ReplyStream>,
    pub(crate) answers_per_prompt: usize,
    pub(crate) include_usage: bool,
    /// The parameter that a prompt comes in.
    pub(crate) prompt: &'static str,
}

/// A comment is sent whenever nothing else was for `keep_alive`. Dropping the response aborts what still runs.
pub(crate) fn stream<C: Chunks>(streaming: Streaming<C>, keep_alive: Duration) -> Response {
    let events = unfold(Writer::new(streaming), |mut writer| async move { Some((writer.next().await?, writer)) });
    let keep_alive = KeepAlive::new().interval(keep_alive);
    ([UNBUFFERED], Sse::new(events).keep_alive(keep_alive)).into_response()
}

type Written = Result<Event, axum::Error>;

struct Writer<C> {
    envelope: Envelope,
    chunks: C,
    replies: SelectAll<BoxStream<'static, (usize, Result<ReplyEvent, ReplyError>)>>,
    /// By answer, as they end.
    usages: Vec<Usage>,
    answers_per_prompt: usize,
    include_usage: bool,
    prompt: &'static str,
    /// To be sent before anything else is waited for.
    ready: VecDeque<Written>,
    has_ended: bool,
}

/// A chunk as it is written; [`super::ChatChunk`] and [`super::TextChunk`] describe it.
#[derive(Serialize)]
struct Chunk<'a, P> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    choices: &'a [P],
    /// Null or absent where there is none yet, as OpenAI has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageView>>,
}

impl<C: Chunks> Writer<C> {
    fn new(streaming: Streaming<C>) -> Self {
        let Streaming { envelope, chunks, replies, answers_per_prompt, include_usage, prompt } = streaming;
        let num_answers = replies.len();
        let indexed = replies.into_iter().enumerate().map(|(index, reply)| reply.map(move |it| (index, it)).boxed());
        let mut writer = Writer {
            envelope,
            chunks,
            replies: select_all(indexed),
            usages: vec![Usage::default(); num_answers],
            answers_per_prompt,
            include_usage,
            prompt,
            ready: VecDeque::new(),
            has_ended: false,
        };
        for piece in (0..num_answers).filter_map(|index| writer.chunks.begin(index)).collect::<Vec<_>>() {
            writer.write(&[piece], None);
        }
        writer
    }

    async fn next(&mut self) -> Option<Written> {
        while self.ready.is_empty() && !self.has_ended {
            match self.replies.next().await {
                Some((index, Ok(event))) => self.tell(index, event),
                Some((_, Err(error))) => {
                    // The others would be answers to a request that has failed.
                    self.replies.clear();
                    self.ready.push_back(Refusal::of_reply(error, self.prompt).into_event());
                    self.has_ended = true;
                }
                None => self.end(),
            }
        }
        self.ready.pop_front()
    }

    fn tell(&mut self, index: usize, event: ReplyEvent) {
        if let ReplyEvent::Finished { usage, .. } = &event {
            self.usages[index] = *usage;
        }
        if let Some(piece) = self.chunks.piece(index, event) {
            self.write(&[piece], None);
        }
    }

    fn end(&mut self) {
        if self.include_usage {
            self.write(&[], Some(total(&self.usages, self.answers_per_prompt)));
        }
        self.ready.push_back(Ok(Event::default().data("[DONE]")));
        self.has_ended = true;
    }

    fn write(&mut self, choices: &[C::Piece], usage: Option<UsageView>) {
        let chunk = Chunk {
            id: &self.envelope.id,
            object: C::OBJECT,
            created: self.envelope.created,
            model: &self.envelope.model,
            system_fingerprint: &self.envelope.system_fingerprint,
            choices,
            usage: self.include_usage.then_some(usage),
        };
        self.ready.push_back(Event::default().json_data(chunk));
    }
}
