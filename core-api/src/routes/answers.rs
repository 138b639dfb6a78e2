//! Answers on their way to a sender who may read them late, and no later than it is waited for.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::Error;
use axum::body::Bytes;
use futures::Stream;
use futures::stream::poll_fn;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Chunks of answers that are kept for a sender who reads them late.
const UNREAD_CHUNKS: usize = 64;

/// An answer; the last one may say that the rest is missing.
type Answer = Result<Bytes, Error>;

/// Where answers go.
pub(super) struct Answers {
    to: Sender<Answer>,
    kept: Weak<Mutex<Receiver<Answer>>>,
}

/// Nobody reads the answers any more.
#[derive(Debug)]
pub(super) struct Unread;

impl Answers {
    /// Both ends. Whoever drops the stream does not read any more.
    pub(super) fn channel() -> (Self, impl Stream<Item = Answer>) {
        let (to, kept) = channel(UNREAD_CHUNKS);
        let kept = Arc::new(Mutex::new(kept));
        let answers = Answers { to, kept: Arc::downgrade(&kept) };
        (answers, poll_fn(move |context| kept.lock().expect("answers lock").poll_recv(context)))
    }

    /// Sends an answer once there is room. If there is none for longer than `patience`, what is kept is dropped and the
    /// answers break off.
    pub(super) async fn send(&self, answer: Bytes, patience: Duration) -> Result<(), Unread> {
        match self.to.send_timeout(Ok(answer), patience).await {
            Ok(()) => return Ok(()),
            Err(SendTimeoutError::Closed(_)) => {}
            Err(SendTimeoutError::Timeout(_)) => self.break_off(),
        }
        Err(Unread)
    }

    fn break_off(&self) {
        let Some(kept) = self.kept.upgrade() else { return };
        let mut kept = kept.lock().expect("answers lock");
        while kept.try_recv().is_ok() {}
        // There is room now, and nobody else sends.
        let _ = self.to.try_send(Err(Error::new("the answers were not read")));
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn answers_that_are_not_read_are_dropped_and_break_off() {
        let (answers, kept) = Answers::channel();
        for _ in 0..UNREAD_CHUNKS {
            answers.send("answer".into(), Duration::ZERO).await.expect("there is room");
        }
        answers.send("answer".into(), Duration::ZERO).await.expect_err("there is none");
        drop(answers);
        let left: Vec<Answer> = kept.collect().await;
        assert!(matches!(left[..], [Err(_)]), "{left:?}");
    }

    #[tokio::test]
    async fn a_sender_who_left_reads_nothing() {
        let (answers, kept) = Answers::channel();
        drop(kept);
        answers.send("answer".into(), Duration::MAX).await.expect_err("nobody is there");
    }
}
