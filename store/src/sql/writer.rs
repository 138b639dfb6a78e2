//! The one connection of this process that writes. Writes that wait together share a transaction, and so one sync to
//! disk; those of one kind share statements.
//!
//! A refusal is an answer: it is decided before anything is written. A fault undoes the whole transaction, and then each
//! write of it is tried alone, so that no caller pays for another's fault; unless the database is away, slow or held by
//! someone, which all of them hear. Answers leave after the commit.
//!
//! A commit whose answer is lost with the connection is looked up on the next one: it is done, or it is done again. Where
//! it cannot be looked up, the callers hear that the database is away.

use std::sync::Arc;

use sqlx::Error;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::backend::{Backend, SessionId, Writing};
use super::query::query;
use super::request::{Pending, Request, Write};
use super::transaction::{Limits, Transaction};
use super::witness::Witness;
use crate::change::Change;
use crate::clock::Clock;
use crate::error::StoreError;
use crate::fault;
use crate::metrics::StoreMetrics;
use crate::step::EventKind;

/// Writes that share a transaction at most, and tasks that they are about; bounds how long a caller waits for others'
/// work.
const MAX_BATCH: usize = 512;
const MAX_WEIGHT: usize = 4096;

/// Writes that may wait; further callers wait to hand theirs over.
const MAX_WAITING: usize = 1024;

/// How often a write is tried that others' writes got in the way of.
const MAX_TRIES: u32 = 5;

/// Hands writes to the one connection that carries them out.
pub(crate) struct Writer {
    inbox: mpsc::Sender<Message>,
}

enum Message {
    Write(Box<dyn Write>),
    Close(oneshot::Sender<()>),
}

/// What the writer owns.
pub(crate) struct WriterLoop<B> {
    pub(crate) backend: Arc<B>,
    pub(crate) connection: Option<Box<dyn Writing>>,
    /// A session whose connection was lost, and which may go on for a while.
    pub(crate) lost: Option<SessionId>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) metrics: Option<StoreMetrics>,
}

impl Writer {
    pub(crate) fn spawn<B: Backend>(writer: WriterLoop<B>) -> Self {
        let (inbox, messages) = mpsc::channel(MAX_WAITING);
        tokio::spawn(writer.run(messages));
        Writer { inbox }
    }

    pub(crate) async fn write<R: Request>(&self, request: R) -> Result<R::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let pending = Pending::new(request, reply);
        self.inbox.send(Message::Write(Box::new(pending))).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Returns when all that was asked before is done and the connection is closed.
    pub(crate) async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.inbox.send(Message::Close(reply)).await.is_ok() {
            // An error means that it was closed already.
            let _ = closed.await;
        }
    }
}

impl<B: Backend> WriterLoop<B> {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut received = Vec::with_capacity(MAX_BATCH);
        let mut closed = Vec::new();
        while messages.recv_many(&mut received, MAX_BATCH).await > 0 {
            let (mut writes, mut weight) = (Vec::with_capacity(received.len()), 0);
            for message in received.drain(..) {
                match message {
                    Message::Write(write) => {
                        weight += write.weight();
                        if MAX_WEIGHT < weight {
                            self.write(group(std::mem::take(&mut writes))).await;
                            weight = write.weight();
                        }
                        writes.push(write);
                    }
                    Message::Close(reply) => {
                        messages.close();
                        closed.push(reply);
                    }
                }
            }
            self.write(group(writes)).await;
        }
        if let Some(connection) = self.connection {
            connection.close().await;
        }
        self.backend.released().await;
        for reply in closed {
            let _ = reply.send(());
        }
    }

    /// Carries them out in one transaction, or else each in its own.
    async fn write(&mut self, mut writes: Vec<Box<dyn Write>>) {
        if 1 < writes.len() {
            match self.commit(&mut writes).await {
                Ok(()) => return writes.into_iter().for_each(|write| self.answer(write, Ok(()))),
                Err(error) if self.backend.is_lost(&error) || self.backend.is_busy(&error) => {
                    let fault = self.backend.fault("write", error);
                    return writes.into_iter().for_each(|write| write.answer(Err(same(&fault))));
                }
                Err(_) => {}
            }
        }
        for write in writes {
            self.write_alone(write).await;
        }
    }

    async fn write_alone(&mut self, write: Box<dyn Write>) {
        let mut writes = [write];
        let mut tries = 1;
        let result = loop {
            match self.commit(&mut writes).await {
                Err(error) if tries < MAX_TRIES && self.backend.is_conflict(&error) => tries += 1,
                result => break result,
            }
        };
        let [write] = writes;
        self.answer(write, result);
    }

    fn answer(&self, write: Box<dyn Write>, result: Result<(), Error>) {
        if let Some(metrics) = &self.metrics {
            metrics.wrote(write.asked().elapsed());
        }
        let doing = write.doing();
        write.answer(result.map_err(|error| self.backend.fault(doing, error)));
    }

    /// All of them or none. A connection that is lost on the way is made anew, and what it left undone is done again.
    async fn commit(&mut self, writes: &mut [Box<dyn Write>]) -> Result<(), Error> {
        let mut is_again = false;
        loop {
            let mut connection = self.connect().await?;
            let fault = match self.transact(&mut *connection, writes).await {
                Ok(changes) => {
                    self.connection = Some(connection);
                    self.tell(&changes);
                    return Ok(());
                }
                Err(fault) => fault,
            };
            if !self.backend.is_lost(&fault.error) {
                // Fails where SQLite has rolled back by itself, as it does when the disk is full.
                let _ = connection.execute(query("ROLLBACK")).await;
                self.connection = Some(connection);
                return Err(fault.error);
            }
            self.lost = Some(connection.session());
            if let Some((changes, witness)) = fault.unknown {
                let Some(witness) = witness else { return Err(fault.error) };
                match self.is_committed(&witness).await {
                    Ok(true) => {
                        self.tell(&changes);
                        return Ok(());
                    }
                    Ok(false) => {}
                    // It may be done: whatever kept it from being looked up, it must not be done again.
                    Err(_) => return Err(fault.error),
                }
            }
            if is_again {
                return Err(fault.error);
            }
            is_again = true;
        }
    }

    /// The connection, or another. What a lost one did is over by then, and its locks are free.
    async fn connect(&mut self) -> Result<Box<dyn Writing>, Error> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = self.backend.writer().await?;
        if let Some(lost) = &self.lost {
            connection.outlive(lost).await?;
            self.lost = None;
        }
        Ok(connection)
    }

    /// What became of a commit whose answer was lost with the connection.
    async fn is_committed(&mut self, witness: &Witness) -> Result<bool, Error> {
        let mut connection = self.connect().await?;
        let is_there = witness.is_there(&mut *connection).await?;
        self.connection = Some(connection);
        Ok(is_there)
    }

    async fn transact(
        &mut self,
        connection: &mut dyn Writing,
        writes: &mut [Box<dyn Write>],
    ) -> Result<Vec<Change>, Fault> {
        let (changes, witness) =
            self.prepare(connection, writes).await.map_err(|error| Fault { error, unknown: None })?;
        fault::point("committing");
        match connection.execute(query("COMMIT")).await {
            Ok(_) => {
                fault::point("committed");
                Ok(changes)
            }
            Err(error) => Err(Fault { error, unknown: Some((changes, witness)) }),
        }
    }

    /// Everything but the commit.
    async fn prepare(
        &mut self,
        connection: &mut dyn Writing,
        writes: &mut [Box<dyn Write>],
    ) -> Result<(Vec<Change>, Option<Witness>), Error> {
        let begin = connection.dialect().begin();
        connection.execute(query(begin)).await?;
        let mut tx = Transaction::new(connection, self.limits, self.clock.now());
        let tasks: Vec<_> = writes.iter().flat_map(|write| write.tasks()).collect();
        tx.look_ahead(&tasks).await?;
        for alike in writes.chunk_by_mut(|one, next| one.kind() == next.kind()) {
            if let Some((first, others)) = alike.split_first_mut() {
                first.apply(others, &mut tx).await?;
            }
        }
        let witness = tx.witness();
        Ok((tx.into_changes().await?, witness))
    }

    fn tell(&self, changes: &[Change]) {
        for &change in changes {
            self.count(change);
            // An error means that nobody listens.
            let _ = self.changes.send(change);
        }
        self.backend.committed(changes);
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

/// Why a transaction was not seen to be committed.
struct Fault {
    error: Error,
    /// What it would have changed, where it may be committed all the same.
    unknown: Option<(Vec<Change>, Option<Witness>)>,
}

/// The same fault for another caller.
fn same(fault: &StoreError) -> StoreError {
    match fault {
        StoreError::Closed => StoreError::Closed,
        StoreError::Busy { path } => StoreError::Busy { path: path.clone() },
        StoreError::Unavailable { at, source } => StoreError::Unavailable { at: at.clone(), source: said(source) },
        other => StoreError::Database { doing: "write", source: said(other) },
    }
}

fn said(error: &dyn std::error::Error) -> Error {
    Error::Io(std::io::Error::other(error.to_string()))
}

/// Writes of one kind beside each other, otherwise in the order in which they came.
fn group(writes: Vec<Box<dyn Write>>) -> Vec<Box<dyn Write>> {
    let mut kinds: Vec<Vec<Box<dyn Write>>> = Vec::new();
    for write in writes {
        match kinds.iter_mut().find(|kind| kind.first().is_some_and(|first| first.kind() == write.kind())) {
            Some(kind) => kind.push(write),
            None => kinds.push(vec![write]),
        }
    }
    kinds.into_iter().flatten().collect()
}
