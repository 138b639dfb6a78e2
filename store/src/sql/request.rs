//! A verb that writes, and how several of one kind become few statements.

use std::any::{Any, TypeId};

use async_trait::async_trait;
use sqlx::Error;
use tokio::sync::oneshot;
use tokio::time::Instant;
use types::TaskId;

use super::transaction::Transaction;
use crate::error::StoreError;

/// A verb that writes. It may be carried out twice, the first time undone.
#[async_trait]
pub(crate) trait Request: Send + Sync + 'static {
    type Answer: Send;

    /// Completes "the database failed to …".
    const DOING: &'static str;

    /// Tasks that it looks at: locked together, before anything is written.
    fn tasks(&self) -> Vec<TaskId> {
        Vec::new()
    }

    /// How many tasks it is about, more or less.
    fn weight(&self) -> usize {
        1
    }

    /// Carries out requests that were made at the same time, and answers each, in order.
    async fn apply(requests: &[&Self], tx: &mut Transaction<'_>) -> Result<Vec<Self::Answer>, Error>;
}

/// A verb that is carried out one by one.
#[async_trait]
pub(crate) trait Alone: Send + Sync + 'static {
    type Answer: Send;

    /// Completes "the database failed to …".
    const DOING: &'static str;

    /// Tasks that it looks at: locked together, before anything is written.
    fn tasks(&self) -> Vec<TaskId> {
        Vec::new()
    }

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<Self::Answer, Error>;
}

#[async_trait]
impl<R: Alone> Request for R {
    type Answer = R::Answer;

    const DOING: &'static str = R::DOING;

    fn tasks(&self) -> Vec<TaskId> {
        Alone::tasks(self)
    }

    async fn apply(requests: &[&Self], tx: &mut Transaction<'_>) -> Result<Vec<Self::Answer>, Error> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(Alone::apply(*request, tx).await?);
        }
        Ok(answers)
    }
}

/// A request with its type out of sight.
#[async_trait]
pub(crate) trait Write: Any + Send {
    /// Its kind: those of one kind are carried out together.
    fn kind(&self) -> TypeId;

    fn doing(&self) -> &'static str;

    fn asked(&self) -> Instant;

    fn tasks(&self) -> Vec<TaskId>;

    fn weight(&self) -> usize;

    /// Carries it out together with others of its kind.
    async fn apply(&mut self, others: &mut [Box<dyn Write>], tx: &mut Transaction<'_>) -> Result<(), Error>;

    /// Gives the caller the answer, or the fault that kept it from being carried out.
    fn answer(self: Box<Self>, result: Result<(), StoreError>);
}

/// A request whose caller waits.
pub(crate) struct Pending<R: Request> {
    request: R,
    asked: Instant,
    answer: Option<R::Answer>,
    reply: oneshot::Sender<Result<R::Answer, StoreError>>,
}

impl<R: Request> Pending<R> {
    pub(crate) fn new(request: R, reply: oneshot::Sender<Result<R::Answer, StoreError>>) -> Self {
        Pending { request, asked: Instant::now(), answer: None, reply }
    }
}

#[async_trait]
impl<R: Request> Write for Pending<R> {
    fn kind(&self) -> TypeId {
        TypeId::of::<R>()
    }

    fn doing(&self) -> &'static str {
        R::DOING
    }

    fn asked(&self) -> Instant {
        self.asked
    }

    fn tasks(&self) -> Vec<TaskId> {
        self.request.tasks()
    }

    fn weight(&self) -> usize {
        self.request.weight()
    }

    async fn apply(&mut self, others: &mut [Box<dyn Write>], tx: &mut Transaction<'_>) -> Result<(), Error> {
        let alike = others.iter_mut().filter_map(|other| (&mut **other as &mut dyn Any).downcast_mut::<Self>());
        let mut group: Vec<&mut Self> = std::iter::once(self).chain(alike).collect();
        let answers = {
            let requests: Vec<&R> = group.iter().map(|pending| &pending.request).collect();
            R::apply(&requests, tx).await?
        };
        for (pending, answer) in group.iter_mut().zip(answers) {
            pending.answer = Some(answer);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        let Pending { answer, reply, .. } = *self;
        // An error means that the caller went away; what was asked is done all the same.
        let _ = reply.send(result.and_then(|()| answer.ok_or(StoreError::Closed)));
    }
}
