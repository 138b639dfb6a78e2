//! A reply on its way: the engine's events turned into the reply's.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, StreamExt};

use super::answer::Flow;
use super::assembly::Assembly;
use super::{ReplyError, ReplyEvent, ReplyFinish};
use crate::engine::{Event, FinishReason, Generation, Usage};

/// The pieces of one reply: exactly one `Finished` or one error comes last. Dropping it aborts the sequence.
pub struct ReplyStream {
    /// Gone when nothing more is needed of the engine.
    running: Option<Running>,
    ready: VecDeque<Result<ReplyEvent, ReplyError>>,
}

struct Running {
    generation: Generation,
    assembly: Assembly,
}

impl ReplyStream {
    pub(super) fn new(generation: Generation, assembly: Assembly) -> Self {
        ReplyStream { running: Some(Running { generation, assembly }), ready: VecDeque::new() }
    }

    /// The next piece; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<ReplyEvent, ReplyError>> {
        StreamExt::next(self).await
    }

    /// Takes in an event of the engine, and lets go of it with the last one.
    fn take_in(&mut self, event: Event) {
        let Some(mut running) = self.running.take() else { return };
        match event {
            Event::Token { id, logprobs } => {
                match running.assembly.push(id, logprobs) {
                    Ok((events, Flow::Open)) => {
                        self.ready.extend(events.into_iter().map(Ok));
                        self.running = Some(running);
                    }
                    Ok((events, Flow::Stopped)) => {
                        // The engine has not come to an end, and is not going to say.
                        let usage = running.generation.usage();
                        let end = ReplyEvent::Finished { finish: ReplyFinish::Stop, usage };
                        self.ready.extend(events.into_iter().chain([end]).map(Ok));
                    }
                    Err(reason) => self.ready.push_back(Err(ReplyError::Failed(reason))),
                }
            }
            Event::Finished { reason, usage } => self.ready.extend(last_events(running.assembly, reason, usage)),
        }
    }
}

fn last_events(assembly: Assembly, reason: FinishReason, usage: Usage) -> Vec<Result<ReplyEvent, ReplyError>> {
    let (rest, finish) = match reason {
        FinishReason::Stop => match assembly.finish() {
            Ok(end) => end,
            Err(reason) => return vec![Err(ReplyError::Failed(reason))],
        },
        FinishReason::Length => (assembly.cut(), ReplyFinish::Length),
        FinishReason::Deadline => return vec![Err(ReplyError::Deadline { usage })],
        FinishReason::Stopped => return vec![Err(ReplyError::Stopped)],
        FinishReason::Failed(reason) => return vec![Err(ReplyError::Failed(reason))],
    };
    rest.into_iter().chain([ReplyEvent::Finished { finish, usage }]).map(Ok).collect()
}

impl Stream for ReplyStream {
    type Item = Result<ReplyEvent, ReplyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            let Some(running) = &mut self.running else { return Poll::Ready(None) };
            match ready!(running.generation.poll_next_unpin(context)) {
                Some(event) => self.take_in(event),
                None => {
                    self.running = None;
                    self.ready.push_back(Err(ReplyError::Failed("the engine gave no end".to_owned())));
                }
            }
        }
    }
}
