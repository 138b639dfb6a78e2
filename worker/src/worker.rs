//! A worker: takes an id, opens the task, runs its agent, and consumes the lease with exactly one outcome.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::RetrySpec;
use futures::FutureExt;
use store::{Ended, Failure, Interrupt, Lease, Leases, Opening, RetryPolicy, Store, StoreError};
use task_queue::{Delivery, Queue, QueueError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use types::{AgentName, StopReason, TaskId, TaskState, Timestamp, WorkerId};

use crate::agent::{Agent, Agents};
use crate::agent_loop::{Answer, Run};
use crate::documents::TaskDocuments;
use crate::metrics::WorkerMetrics;
use crate::outcome::Interruption;
use crate::pool::{SlotState, SlotStatus};
use crate::session::{Session, SessionLimits};
use crate::tools::ToolClient;

/// Before the next take when queue, store or engine does not do its part: another id would fare no better.
const PAUSE: Duration = Duration::from_secs(1);
/// The label of an agent that this installation does not have: names that callers choose do not become labels.
const UNKNOWN: &str = "unknown";

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
enum Then {
    Take,
    Pause,
}

/// One worker and the sessions it keeps warm, one for each agent it has worked for.
pub(crate) struct Worker {
    id: WorkerId,
    place: Arc<Workplace>,
    sessions: BTreeMap<AgentName, Session>,
}

impl Worker {
    pub(crate) fn new(id: WorkerId, place: Arc<Workplace>) -> Self {
        Worker { id, place, sessions: BTreeMap::new() }
    }

    /// Works until `drain`; a task it then has is finished, or released once `abort` is cancelled.
    pub(crate) async fn run(mut self, status: Arc<SlotStatus>, drain: CancellationToken, abort: CancellationToken) {
        while !drain.is_cancelled() {
            self.reset_due_sessions();
            let taken = tokio::select! {
                () = drain.cancelled() => break,
                () = reached(self.sessions.values().filter_map(Session::idle_at).min()) => continue,
                taken = self.place.queue.take(&self.id) => taken,
            };
            let then = match taken {
                Ok(delivery) => {
                    status.set(SlotState::Busy);
                    let then = self.serve(delivery, &abort).await;
                    status.set(SlotState::Idle);
                    then
                }
                Err(QueueError::Closed(_)) => break,
                Err(error @ QueueError::Unavailable { .. }) => {
                    warn!(worker = %self.id, %error, "nothing can be taken; trying again");
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
        let opening = match self.place.leases.open(task, &self.id).await {
            Ok(opening) => opening,
            Err(error) => {
                warn!(%task, %error, "the task could not be opened; its id will be delivered again");
                return Then::Pause;
            }
        };
        if let Err(error) = self.place.queue.acknowledge(delivery).await {
            warn!(%task, %error, "the id was not acknowledged; a second delivery will find the task taken");
        }
        match opening {
            Opening::Opened(lease) => return self.execute(lease, abort).await,
            Opening::Gone(state) => debug!(%task, %state, "nothing to do"),
            Opening::Unknown => warn!(%task, "the queue delivered an id that the store does not have"),
        }
        Then::Take
    }

    async fn execute(&mut self, lease: Lease, abort: &CancellationToken) -> Then {
        let started = Instant::now();
        let task = lease.task().id;
        let attempt = lease.attempt();
        let name = lease.task().agent.clone();
        let agent = self.place.agents.get(&name).cloned();
        let label = agent.as_ref().map_or(UNKNOWN, |agent| agent.spec.name.as_str());
        let retry = agent.as_ref().map(|agent| agent.spec.retry).unwrap_or_default();
        let retry = retry_policy(retry);
        let result = match &agent {
            Some(agent) => self.work(agent, &lease, abort).await,
            None => Err(Interruption::Bury(Failure::new(
                StopReason::UnusableInput,
                format!("this installation has no agent {name}; add its file and requeue the task"),
            ))),
        };
        let metrics = &self.place.metrics;
        let error = error_reason(&result);
        let then = if matches!(result, Err(Interruption::Release)) { Then::Pause } else { Then::Take };
        let status = match end(lease, result, &retry).await {
            Ok(Some(ended)) => {
                let status = status(ended.state);
                info!(%task, %attempt, agent = %name, status, error = error.map(StopReason::as_str), "task left its worker");
                metrics.latency.with_label_values(&[label]).observe(started.elapsed().as_secs_f64());
                if let Some(reason) = error {
                    metrics.errors.with_label_values(&[label, reason.as_str()]).inc();
                }
                status
            }
            Ok(None) => {
                warn!(%task, %attempt, "the lease was lost; whoever holds the task now ends it");
                LOST
            }
            Err(error) => {
                error!(%task, %attempt, %error, "the outcome could not be written; the lease will expire");
                LOST
            }
        };
        metrics.tasks.with_label_values(&[label, status]).inc();
        then
    }

    /// Runs the agent against everything that can end it from outside.
    async fn work(
        &mut self,
        agent: &Agent,
        lease: &Lease,
        abort: &CancellationToken,
    ) -> Result<serde_json::Value, Interruption> {
        let task = lease.task();
        let documents =
            TaskDocuments { store: self.place.store.clone(), team: task.team.clone(), granted: task.documents.clone() };
        let now = Instant::now();
        let left = task.deadline_at.map_or(Duration::MAX, |deadline| deadline.since(Timestamp::now()));
        let (allowed, limit) = if left < agent.spec.timeout {
            (left, "what was left until the task's deadline")
        } else {
            (agent.spec.timeout, "timeout_seconds of its agent")
        };
        let deadline = now + allowed;
        let session = self.sessions.entry(agent.spec.name.clone()).or_insert_with(|| {
            Session::new(agent.spec.session.mode, session_limits(agent, &self.place.settings), rand::random(), now)
        });
        let run = Run {
            agent,
            lease,
            documents: &documents,
            tools: &self.place.tools,
            deadline,
            request_timeout: self.place.settings.request_timeout,
            metrics: &self.place.metrics,
        };
        let result = tokio::select! {
            // Reasons to stop win over an answer that is ready at the same moment.
            biased;
            interrupt = lease.interrupted() => Err(match interrupt {
                Interrupt::CancelRequested => Interruption::Cancelled,
                Interrupt::Lost => Interruption::Lost,
            }),
            () = abort.cancelled() => Err(Interruption::Release),
            () = tokio::time::sleep_until(deadline.into()) => Err(Interruption::fail(
                StopReason::Timeout,
                format!("agent {} gave no answer within {:.1} s, {limit}", agent.spec.name, allowed.as_secs_f64()),
            )),
            caught = AssertUnwindSafe(run.to_answer(session)).catch_unwind() => {
                caught.unwrap_or_else(|panic| Err(panicked(task.id, panic.as_ref())))
            }
        };
        let slot = self.id.slot;
        match result {
            Ok(Answer { output, exchange, used_tokens }) => {
                session.finished(exchange, used_tokens, Instant::now());
                self.place.metrics.session_holds(&agent.spec.name, slot, session.context_tokens());
                Ok(output)
            }
            Err(interruption) => {
                session.broke(Instant::now());
                self.place.metrics.session_holds(&agent.spec.name, slot, 0);
                Err(interruption)
            }
        }
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

/// The one outcome. `None` when the lease was lost and there is none to give.
async fn end(
    lease: Lease,
    result: Result<serde_json::Value, Interruption>,
    retry: &RetryPolicy,
) -> Result<Option<Ended>, StoreError> {
    let ended = match result {
        Ok(output) => lease.complete(output).await,
        Err(Interruption::Fail(failure)) => lease.fail(failure).await,
        Err(Interruption::Retry { failure, retry_after }) => {
            let not_before = retry_after.map(|wait| Timestamp::now().after(wait));
            lease.retry(failure, retry, not_before).await
        }
        Err(Interruption::Bury(failure)) => lease.bury(failure).await,
        Err(Interruption::Release) => lease.release().await,
        Err(Interruption::Cancelled) => lease.cancelled().await,
        Err(Interruption::Lost) => return Ok(None),
    };
    match ended {
        Ok(ended) => Ok(Some(ended)),
        Err(StoreError::LeaseLost { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the metrics call an execution whose outcome this worker did not write.
const LOST: &str = "lost";

/// What the metrics call an execution that left its task in this state.
fn status(state: TaskState) -> &'static str {
    match state {
        TaskState::Scheduled => "retried",
        TaskState::Queued => "released",
        TaskState::Succeeded
        | TaskState::Failed
        | TaskState::Cancelled
        | TaskState::Dead
        | TaskState::Running
        | TaskState::AwaitingApproval => state.as_str(),
    }
}

fn error_reason(result: &Result<serde_json::Value, Interruption>) -> Option<StopReason> {
    match result {
        Err(Interruption::Fail(failure) | Interruption::Bury(failure) | Interruption::Retry { failure, .. }) => {
            Some(failure.reason)
        }
        Err(Interruption::Cancelled) => Some(StopReason::Cancelled),
        Ok(_) | Err(Interruption::Release | Interruption::Lost) => None,
    }
}

fn panicked(task: TaskId, panic: &(dyn std::any::Any + Send)) -> Interruption {
    let words = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    error!(%task, panic = %words, "the worker panicked on a task; this is a defect of the platform");
    Interruption::Bury(Failure::new(StopReason::Internal, format!("the worker panicked: {words}; please report it")))
}

/// The agent's policy; a limit of the task's own is the store's to apply.
fn retry_policy(spec: RetrySpec) -> RetryPolicy {
    RetryPolicy {
        initial: spec.initial_delay,
        multiplier: spec.backoff_multiplier,
        ceiling: spec.max_delay,
        jitter: spec.jitter,
        max_retries: spec.max_retries,
    }
}

fn session_limits(agent: &Agent, settings: &WorkerSettings) -> SessionLimits {
    SessionLimits {
        max_tasks: settings.session_max_tasks,
        context_tokens: agent.context.tokens,
        context_share: settings.session_context_share,
        idle_timeout: settings.idle_timeout,
    }
}
