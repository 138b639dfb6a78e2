//! The one connection that writes. Writes that wait together share a transaction, and so one sync to disk.
//!
//! A refusal is an answer: it is decided before anything is written. A fault undoes the whole transaction, and then each
//! write of it is tried alone, so that no caller pays for another's fault. Answers leave after the commit.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Error};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use super::faults::Faults;
use super::lock::OwnerLock;
use super::transaction::{Limits, Transaction};
use crate::change::Change;
use crate::clock::Clock;
use crate::error::StoreError;
use crate::metrics::StoreMetrics;
use crate::step::EventKind;

/// Writes that share a transaction at most; bounds how long a caller waits for others' work.
const MAX_BATCH: usize = 64;

/// Writes that may wait; further callers wait to hand theirs over.
const MAX_WAITING: usize = 1024;

/// A verb that writes. It may be carried out twice, the first time undone.
#[async_trait]
pub(crate) trait Request: Send + Sync + 'static {
    type Answer: Send;

    /// Completes "the database failed to …".
    const DOING: &'static str;

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Self::Answer, Error>;
}

/// Hands writes to the one connection that carries them out.
pub(crate) struct Writer {
    inbox: mpsc::Sender<Message>,
}

enum Message {
    Write(Box<dyn Write>),
    Close(oneshot::Sender<()>),
}

/// What the writer owns.
pub(crate) struct WriterLoop {
    pub(crate) connection: SqliteConnection,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) metrics: Option<StoreMetrics>,
    pub(crate) faults: Faults,
    /// Let go of after the connection.
    pub(crate) lock: OwnerLock,
}

impl Writer {
    pub(crate) fn spawn(writer: WriterLoop) -> Self {
        let (inbox, messages) = mpsc::channel(MAX_WAITING);
        tokio::spawn(writer.run(messages));
        Writer { inbox }
    }

    pub(crate) async fn write<R: Request>(&self, request: R) -> Result<R::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let pending = Pending { request, asked: Instant::now(), answer: None, reply };
        self.inbox.send(Message::Write(Box::new(pending))).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Returns when all that was asked before is done and the file is let go of.
    pub(crate) async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.inbox.send(Message::Close(reply)).await.is_ok() {
            // An error means that it was closed already.
            let _ = closed.await;
        }
    }
}

impl WriterLoop {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut received = Vec::with_capacity(MAX_BATCH);
        let mut closed = Vec::new();
        while messages.recv_many(&mut received, MAX_BATCH).await > 0 {
            let mut writes = Vec::with_capacity(received.len());
            for message in received.drain(..) {
                match message {
                    Message::Write(write) => writes.push(write),
                    Message::Close(reply) => {
                        messages.close();
                        closed.push(reply);
                    }
                }
            }
            self.write(writes).await;
        }
        // What is not in the main file yet is in the log beside it, and found there at the next start.
        let _ = self.connection.close().await;
        drop(self.lock);
        for reply in closed {
            let _ = reply.send(());
        }
    }

    async fn write(&mut self, mut writes: Vec<Box<dyn Write>>) {
        match self.commit(&mut writes).await {
            Ok(()) => {
                for write in writes {
                    write.answer(Ok(()), &self.faults, self.metrics.as_ref());
                }
            }
            Err(_) if 1 < writes.len() => {
                for write in writes {
                    Box::pin(self.write(vec![write])).await;
                }
            }
            Err(error) => {
                if let Some(write) = writes.pop() {
                    write.answer(Err(error), &self.faults, self.metrics.as_ref());
                }
            }
        }
    }

    /// All of them or none.
    async fn commit(&mut self, writes: &mut [Box<dyn Write>]) -> Result<(), Error> {
        if writes.is_empty() {
            return Ok(());
        }
        let changes = match self.transact(writes).await {
            Ok(changes) => changes,
            Err(error) => {
                // Fails where SQLite has rolled back by itself, as it does when the disk is full.
                let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
                return Err(error);
            }
        };
        for change in changes {
            self.count(change);
            // An error means that nobody listens.
            let _ = self.changes.send(change);
        }
        Ok(())
    }

    async fn transact(&mut self, writes: &mut [Box<dyn Write>]) -> Result<Vec<Change>, Error> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let mut tx = Transaction::new(&mut self.connection, self.limits, self.clock.now());
        for write in writes {
            write.apply(&mut tx).await?;
        }
        let changes = tx.into_changes();
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(changes)
    }

    fn count(&self, change: Change) {
        let Some(metrics) = &self.metrics else { return };
        if change.kind == EventKind::Accepted {
            metrics.accepted();
        } else if change.kind.is_end() {
            metrics.finished(change.state);
        }
    }
}

/// A request with its answer's type out of sight.
#[async_trait]
trait Write: Send {
    async fn apply(&mut self, tx: &mut Transaction<'_>) -> Result<(), Error>;

    fn answer(self: Box<Self>, result: Result<(), Error>, faults: &Faults, metrics: Option<&StoreMetrics>);
}

struct Pending<R: Request> {
    request: R,
    asked: Instant,
    answer: Option<R::Answer>,
    reply: oneshot::Sender<Result<R::Answer, StoreError>>,
}

#[async_trait]
impl<R: Request> Write for Pending<R> {
    async fn apply(&mut self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        self.answer = Some(self.request.apply(tx).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), Error>, faults: &Faults, metrics: Option<&StoreMetrics>) {
        if let Some(metrics) = metrics {
            metrics.wrote(self.asked.elapsed());
        }
        let answer = match result {
            Ok(()) => self.answer.ok_or(StoreError::Closed),
            Err(error) => Err(faults.during(R::DOING)(error)),
        };
        // An error means that the caller went away; what was asked is done all the same.
        let _ = self.reply.send(answer);
    }
}
