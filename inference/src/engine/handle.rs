//! The engine as its callers see it: cheap to clone, never blocks, refuses at once what it cannot take.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};

use super::command::{Command, Event, FinishReason, GenerateRequest, Submission, Usage};
use super::stats::{EngineStats, Shared};

/// Sends requests to the engine's thread. When the last handle is gone, the engine finishes its work and ends.
#[derive(Clone)]
pub struct EngineHandle {
    pub(super) commands: std_mpsc::SyncSender<Command>,
    pub(super) places: Arc<Semaphore>,
    pub(super) shared: Arc<Shared>,
    pub(super) closing: Arc<AtomicBool>,
    pub(super) ended: watch::Receiver<()>,
}

/// Why a request was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It can never fit, however long it waits.
    #[error("prompt has {tokens} tokens but at most {max} leave room for an answer; shorten the prompt")]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// The largest prompt that is accepted.
        max: usize,
    },
    /// Nothing to continue.
    #[error("the prompt has no tokens; send at least one")]
    Empty,
    /// An id that the model does not have.
    #[error("token {id} of the prompt is not in the model's vocabulary of {vocab_size}; tokenize with this model")]
    UnknownToken {
        /// The id.
        id: u32,
        /// Ids are below this.
        vocab_size: usize,
    },
    /// The line is full; later it may not be.
    #[error("{waiting} requests already wait, which is the limit; try again later or raise engine.max_waiting")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// The engine is shutting down or gone.
    #[error("the engine is stopping and takes no more requests; send it to another one")]
    Stopped,
}

impl EngineHandle {
    /// Accepts a request or refuses it, at once.
    pub fn generate(&self, request: GenerateRequest) -> Result<Generation, Refused> {
        self.shared.limits.check(&request.prompt)?;
        if self.closing.load(Ordering::Acquire) {
            return Err(Refused::Stopped);
        }
        let overloaded = || Refused::Overloaded { waiting: self.shared.limits.max_waiting };
        let place = self.places.clone().try_acquire_owned().map_err(|_| overloaded())?;
        let max_new_tokens = self.shared.limits.max_new_tokens(&request);
        // All tokens and the end: the engine never waits for a reader.
        let (events, receiver) = mpsc::channel(max_new_tokens + 1);
        let prompt_tokens = request.prompt.len();
        let cached_tokens = Arc::<AtomicUsize>::default();
        let submission =
            Submission { request, events, place, accepted_at: Instant::now(), cached_tokens: cached_tokens.clone() };
        self.commands.try_send(Command::Submit(Box::new(submission))).map_err(|error| match error {
            std_mpsc::TrySendError::Full(_) => overloaded(),
            std_mpsc::TrySendError::Disconnected(_) => Refused::Stopped,
        })?;
        let (closing, usage) = (self.closing.clone(), Usage { prompt_tokens, ..Usage::default() });
        Ok(Generation { events: receiver, usage, cached_tokens, finished: false, closing })
    }

    /// The longest prompt that `generate` accepts.
    pub fn max_prompt_tokens(&self) -> usize {
        self.shared.limits.max_prompt_tokens()
    }

    /// What the engine is doing, as of its last step.
    pub fn stats(&self) -> EngineStats {
        self.shared.stats()
    }

    /// Time since the engine last came round its loop: about a second when idle, one step when busy. A large age means
    /// that it stands still.
    pub fn last_step_age(&self) -> Duration {
        self.shared.heartbeat.age()
    }

    /// Refuses new requests, lets accepted ones finish, and returns when the engine has ended.
    pub async fn drain(&self) {
        self.close().await;
    }

    /// Refuses new requests, ends accepted ones as `Stopped`, and returns when the engine has ended.
    pub async fn stop(&self) {
        self.shared.stop_now.store(true, Ordering::Release);
        self.close().await;
    }

    async fn close(&self) {
        // Once only, so the channel's one spare place is enough.
        if !self.closing.swap(true, Ordering::AcqRel) {
            let _ = self.commands.try_send(Command::Close);
        }
        self.ended().await;
    }

    /// Returns when the engine's thread is gone: after `drain` or `stop`, or because it died.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

/// One request's events. Dropping it aborts the sequence at the next step.
#[derive(Debug)]
pub struct Generation {
    events: mpsc::Receiver<Event>,
    usage: Usage,
    cached_tokens: Arc<AtomicUsize>,
    finished: bool,
    closing: Arc<AtomicBool>,
}

impl Generation {
    /// The next event; `None` after `Finished`.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// What was read and delivered so far.
    pub fn usage(&self) -> Usage {
        Usage { cached_tokens: self.cached_tokens.load(Ordering::Relaxed), ..self.usage }
    }

    /// The next event, for callers without a runtime.
    pub fn blocking_next(&mut self) -> Option<Event> {
        if self.finished {
            return None;
        }
        let received = self.events.blocking_recv();
        self.note(received)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.finished {
            return Poll::Ready(None);
        }
        let received = ready!(self.events.poll_recv(context));
        Poll::Ready(self.note(received))
    }

    fn note(&mut self, received: Option<Event>) -> Option<Event> {
        // A sender that is gone without a word means that the engine's thread ended before it took the request in: it
        // was told to, or it died. That is an end, too.
        let gone = || match self.closing.load(Ordering::Acquire) {
            true => FinishReason::Stopped,
            false => FinishReason::Failed("the engine died before it took the request in".to_owned()),
        };
        let event = received.unwrap_or_else(|| Event::Finished { reason: gone(), usage: self.usage });
        match &event {
            Event::Token { .. } => self.usage.completion_tokens += 1,
            Event::Finished { .. } => self.finished = true,
        }
        Some(event)
    }
}

impl futures::Stream for Generation {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(closing: bool, expected: &str) {
        let (_, events) = mpsc::channel(1);
        let usage = Usage { prompt_tokens: 3, ..Usage::default() };
        let mut generation = Generation {
            events,
            usage,
            cached_tokens: Arc::default(),
            finished: false,
            closing: Arc::new(closing.into()),
        };
        let Some(Event::Finished { reason, usage: told }) = generation.blocking_next() else { panic!("no end") };
        assert_eq!((reason.as_str(), told), (expected, usage));
        assert_eq!(generation.blocking_next(), None);
    }

    #[test]
    fn a_submission_that_the_engine_never_saw_was_stopped_unless_the_engine_died() {
        check(true, "stopped");
        check(false, "failed");
    }
}
