//! A worker: takes an id, opens the task, has it executed, and takes the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Leases, Opening, Store, fault};
use task_queue::{Classes, Delivery, Queue, QueueError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use types::{AgentName, TaskClass, WorkerId};

use crate::agent::Agents;
use crate::execution::Execution;
use crate::metrics::WorkerMetrics;
use crate::pool::{SlotState, SlotStatus};
use crate::session::Session;
use crate::tools::ToolClient;

/// Before the next take when queue, store or engine does not do its part: another id would fare no better.
const PAUSE: Duration = Duration::from_secs(1);

/// What all workers of a process share.
pub struct Workplace {
    /// The truth about tasks.
    pub store: Arc<dyn Store>,
    /// Where ids wait.
    pub queue: Arc<dyn Queue>,
    /// This process's leases; someone else keeps them renewed.
    pub leases: Leases,
    /// Who can work.
    pub agents: Agents,
    /// The way out for tool calls.
    pub tools: ToolClient,
    /// What operators see.
    pub metrics: WorkerMetrics,
    /// Limits of sessions and generations.
    pub settings: WorkerSettings,
}

/// From `openclaw_core` in `talon.yml`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkerSettings {
    /// Tasks after which a session is reset.
    pub session_max_tasks: u32,
    /// Share of its context above which a session is reset.
    pub session_context_share: f64,
    /// Idle time after which a session is reset.
    pub idle_timeout: Duration,
    /// The longest one generation may take.
    pub request_timeout: Duration,
}

/// What a worker does after an id.
pub(crate) enum Then {
    /// It takes the next.
    Take,
    /// It waits a little first.
    Pause,
}

/// One worker and the sessions it keeps warm, one for each agent it has worked for.
pub(crate) struct Worker {
    id: WorkerId,
    place: Arc<Workplace>,
    /// A permit to work on other than interactive tasks.
    unreserved: Arc<Semaphore>,
    /// The queue or the store did not do its part the last time, and that was logged.
    is_in_trouble: bool,
    sessions: BTreeMap<AgentName, Session>,
}

impl Worker {
    pub(crate) fn new(id: WorkerId, place: Arc<Workplace>, unreserved: Arc<Semaphore>) -> Self {
        Worker { id, place, unreserved, is_in_trouble: false, sessions: BTreeMap::new() }
    }

    /// Its number in the process.
    pub(crate) fn slot(&self) -> u32 {
        self.id.slot
    }

    /// Works until `drain`; a task it then has is finished, or released once `abort` is cancelled.
    pub(crate) async fn run(mut self, status: Arc<SlotStatus>, drain: CancellationToken, abort: CancellationToken) {
        while !drain.is_cancelled() {
            self.reset_due_sessions();
            let taken = tokio::select! {
                () = drain.cancelled() => break,
                () = reached(self.sessions.values().filter_map(Session::idle_at).min()) => continue,
                taken = self.take() => taken,
            };
            let then = match taken {
                // The permit is given back with the task.
                Ok((delivery, _permit)) => {
                    status.set(SlotState::Busy);
                    let then = self.serve(delivery, &abort).await;
                    status.set(SlotState::Idle);
                    then
                }
                Err(QueueError::Closed(_)) => break,
                Err(error @ QueueError::Unavailable { .. }) => {
                    self.trouble("nothing can be taken; trying again", &error);
                    Then::Pause
                }
            };
            match then {
                Then::Take => {}
                Then::Pause => tokio::select! {
                    () = drain.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => {}
                },
            }
        }
    }

    /// Waits for an id: of any class with a permit, of an interactive task while there is none. The permit comes with what
    /// needs it.
    async fn take(&self) -> Result<(Delivery, Option<OwnedSemaphorePermit>), QueueError> {
        let permit = tokio::select! {
            biased;
            permit = self.unreserved.clone().acquire_owned() => permit.ok(),
            delivery = self.place.queue.take(&self.id, Classes::Interactive) => return Ok((delivery?, None)),
        };
        let delivery = self.place.queue.take(&self.id, Classes::All).await?;
        let permit = permit.filter(|_| delivery.class() != TaskClass::Interactive);
        Ok((delivery, permit))
    }

    fn trouble(&mut self, what: &'static str, error: &dyn std::error::Error) {
        if !std::mem::replace(&mut self.is_in_trouble, true) {
            warn!(worker = %self.id, %error, "{what}");
        }
    }

    /// Throws away what may not serve another task. Before one is taken, so that no task waits for it.
    fn reset_due_sessions(&mut self) {
        let now = Instant::now();
        let metrics = &self.place.metrics;
        let slot = self.id.slot;
        self.sessions.retain(|agent, session| {
            let Some(reason) = session.reset_due(now) else { return true };
            metrics.session_resets.with_label_values(&[agent.as_str(), reason.as_str()]).inc();
            metrics.session_ended(agent, slot);
            debug!(%agent, slot, reason = reason.as_str(), "session reset");
            false
        });
    }

    /// From an id to an outcome. The queue may forget the id as soon as the store's lease holds the task.
    async fn serve(&mut self, delivery: Delivery, abort: &CancellationToken) -> Then {
        let task = delivery.task();
        let opening = self.place.leases.open(task, &self.id).await;
        // Whatever became of it: an id that is still wanted is fed again by the relay.
        if let Err(error) = self.place.queue.acknowledge(delivery).await {
            warn!(%task, %error, "the id was not acknowledged; a second delivery will find the task taken");
        }
        fault::point("acknowledged");
        let opening = match opening {
            Ok(opening) => opening,
            Err(error) => {
                self.trouble("tasks cannot be opened; trying again", &error);
                return Then::Pause;
            }
        };
        self.is_in_trouble = false;
        match opening {
            Opening::Opened(lease) => {
                return Execution { place: &self.place, sessions: &mut self.sessions, abort }.run(lease).await;
            }
            Opening::Gone(state) => debug!(%task, %state, "nothing to do"),
            Opening::Withheld(why) => debug!(%task, ?why, "not now; the relay feeds it again"),
            Opening::Unknown => warn!(%task, "the queue delivered an id that the store does not have"),
        }
        Then::Take
    }
}

impl Drop for Worker {
    /// However a worker ends, its sessions end with it.
    fn drop(&mut self) {
        for agent in self.sessions.keys() {
            self.place.metrics.session_ended(agent, self.id.slot);
        }
    }
}

/// Waits for a moment; for ever if there is none.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
