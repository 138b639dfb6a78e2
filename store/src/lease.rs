//! The exclusive right to work on one task; consumed by exactly one outcome.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::warn;
use types::{AttemptNumber, Timestamp, WorkerId};

use crate::error::StoreError;
use crate::fault;
use crate::leases::Leases;
use crate::outcome::{Ended, Ending, Failure};
use crate::retry::RetryPolicy;
use crate::step::NewStep;
use crate::store::Fence;
use crate::task::Task;

/// Between two tries to write an outcome that a passing fault keeps from being written.
const OUTCOME_PAUSE: Duration = Duration::from_millis(200);

/// The exclusive right to work on a task; consumed by exactly one outcome.
#[must_use = "a lease dropped without an outcome expires, and the task runs again"]
pub struct Lease {
    pub(crate) leases: Leases,
    pub(crate) task: Box<Task>,
    pub(crate) worker: WorkerId,
    pub(crate) interrupt: watch::Receiver<Option<Interrupt>>,
}

/// Why a holder must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Someone cancelled the task: end with [`Lease::cancelled`].
    CancelRequested,
    /// The lease is lost: nothing that is written now counts.
    Lost,
}

impl Lease {
    /// The task as it stood when it was opened.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// This execution's number.
    pub fn attempt(&self) -> AttemptNumber {
        self.task.attempt
    }

    /// Who holds it.
    pub fn worker(&self) -> &WorkerId {
        &self.worker
    }

    /// Waits until the holder must stop, and says why. Select on it beside the work.
    pub async fn interrupted(&self) -> Interrupt {
        let mut interrupt = self.interrupt.clone();
        let told = interrupt.wait_for(Option::is_some).await.ok().and_then(|told| *told);
        // The sender lives as long as this lease is listed.
        told.unwrap_or(Interrupt::Lost)
    }

    /// Why the holder must stop, if it must.
    pub fn interrupt(&self) -> Option<Interrupt> {
        *self.interrupt.borrow()
    }

    /// Records a step and gives it its number.
    pub async fn record_step(&self, step: NewStep) -> Result<u32, StoreError> {
        fault::point("stepping");
        let number = self.leases.store().record_step(self.fence(), step).await;
        fault::point("stepped");
        number
    }

    /// The answer: the task has succeeded.
    pub async fn complete(self, output: Value) -> Result<Ended, StoreError> {
        self.end(Ending::Complete { output }).await
    }

    /// A definite negative end: a limit, a guardrail, the deadline, unusable input.
    pub async fn fail(self, failure: Failure) -> Result<Ended, StoreError> {
        self.end(Ending::Fail(failure)).await
    }

    /// It may go better another time, by the policy and not before `not_before`; dead when its retries are spent.
    pub async fn retry(
        self,
        failure: Failure,
        policy: &RetryPolicy,
        not_before: Option<Timestamp>,
    ) -> Result<Ended, StoreError> {
        self.end(Ending::Retry { failure, policy: *policy, not_before, unit: rand::random() }).await
    }

    /// It cannot be finished: dead, for an operator to look at.
    pub async fn bury(self, failure: Failure) -> Result<Ended, StoreError> {
        self.end(Ending::Bury(failure)).await
    }

    /// Nothing is wrong with the task (a shutdown, a fault of this process): back to its line, no failure counted.
    pub async fn release(self) -> Result<Ended, StoreError> {
        self.end(Ending::Release).await
    }

    /// The worker stopped because someone cancelled the task.
    pub async fn cancelled(self) -> Result<Ended, StoreError> {
        self.end(Ending::Cancelled).await
    }

    fn fence(&self) -> Fence {
        Fence { task: self.task.id, attempt: self.task.attempt }
    }

    /// An outcome may have cost minutes of a model's work, so a passing fault is waited out while the lease lives.
    async fn end(self, ending: Ending) -> Result<Ended, StoreError> {
        let give_up = Instant::now() + self.leases.timeout();
        loop {
            fault::point("ending");
            let ended = self.leases.store().end(self.fence(), ending.clone()).await;
            fault::point("ended");
            match ended {
                Err(error) if error.is_passing() && Instant::now() < give_up => {
                    warn!(task = %self.task.id, %error, "the outcome is not written yet; trying again");
                    sleep(OUTCOME_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.forget(self.fence());
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({}, attempt {}, {})", self.task.id, self.task.attempt, self.worker)
    }
}
