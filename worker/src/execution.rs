//! One execution of one task: its agent's run against everything that can end it, and the one outcome that consumes
//! the lease.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use config::RetrySpec;
use futures::FutureExt;
use serde_json::Value;
use store::{Ended, Failure, Interrupt, Lease, RetryPolicy, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use types::{AgentName, StopReason, TaskId, TaskState, Timestamp};

use crate::agent::Agent;
use crate::agent_loop::{Answer, Run};
use crate::documents::TaskDocuments;
use crate::outcome::Interruption;
use crate::session::{Session, SessionLimits};
use crate::worker::{Then, WorkerSettings, Workplace};

/// The label of an agent that this installation does not have: names that callers choose do not become labels.
const UNKNOWN: &str = "unknown";
/// The longest that a tool may ask to be left alone where the policy would not wait as long itself.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// What an execution has of its worker.
pub(crate) struct Execution<'a> {
    /// Shared by all workers.
    pub(crate) place: &'a Workplace,
    /// The worker's own.
    pub(crate) sessions: &'a mut BTreeMap<AgentName, Session>,
    /// Cancelled when the task has to be given back.
    pub(crate) abort: &'a CancellationToken,
}

impl Execution<'_> {
    /// Works on the task and gives it its outcome.
    pub(crate) async fn run(mut self, lease: Lease) -> Then {
        let started = Instant::now();
        let task = lease.task().id;
        let attempt = lease.attempt();
        let name = lease.task().agent.clone();
        if let Some((ready, opened)) = lease.task().queued_at.zip(lease.task().started_at) {
            let wait = self.place.metrics.wait.with_label_values(&[lease.task().class.as_str()]);
            wait.observe(opened.since(ready).as_secs_f64());
        }
        let agent = self.place.agents.get(&name).cloned();
        let label = agent.as_ref().map_or(UNKNOWN, |agent| agent.spec.name.as_str());
        let retry = agent.as_ref().map(|agent| agent.spec.retry).unwrap_or_default();
        let retry = retry_policy(retry);
        let result = match &agent {
            Some(agent) => self.work(agent, &lease).await,
            None => Err(Interruption::Bury(Failure::new(
                StopReason::UnusableInput,
                format!("this installation has no agent {name}; add its file, then `talon task retry`"),
            ))),
        };
        let metrics = &self.place.metrics;
        let error = error_reason(&result);
        let then = match &result {
            Err(Interruption::Release { because }) => {
                info!(%task, %attempt, agent = %name, %because, "the task is given back, and no failure counted");
                Then::Pause
            }
            _ => Then::Take,
        };
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
    async fn work(&mut self, agent: &Agent, lease: &Lease) -> Result<Value, Interruption> {
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
            () = self.abort.cancelled() => Err(Interruption::release("the process is stopping")),
            () = tokio::time::sleep_until(deadline.into()) => Err(Interruption::fail(
                StopReason::Timeout,
                format!("agent {} gave no answer within {:.1} s, {limit}", agent.spec.name, allowed.as_secs_f64()),
            )),
            caught = AssertUnwindSafe(run.to_answer(session)).catch_unwind() => {
                caught.unwrap_or_else(|panic| Err(panicked(task.id, panic.as_ref())))
            }
        };
        let slot = lease.worker().slot;
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

/// The one outcome. `None` when the lease was lost and there is none to give.
async fn end(
    lease: Lease,
    result: Result<Value, Interruption>,
    retry: &RetryPolicy,
) -> Result<Option<Ended>, StoreError> {
    let ended = match result {
        Ok(output) => lease.complete(output).await,
        Err(Interruption::Fail(failure)) => lease.fail(failure).await,
        Err(Interruption::Retry { failure, retry_after }) => {
            let not_before = retry_after.map(|asked| Timestamp::now().after(granted_rest(asked, retry)));
            lease.retry(failure, retry, not_before).await
        }
        Err(Interruption::Bury(failure)) => lease.bury(failure).await,
        Err(Interruption::Release { .. }) => lease.release().await,
        Err(Interruption::Cancelled) => lease.cancelled().await,
        Err(Interruption::Lost) => return Ok(None),
    };
    match ended {
        Ok(ended) => Ok(Some(ended)),
        Err(StoreError::LeaseLost { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How much of the rest that a tool asked for it gets: a header does not put a task off for ever.
fn granted_rest(asked: Duration, retry: &RetryPolicy) -> Duration {
    asked.min(retry.ceiling.max(LONGEST_REST))
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

fn error_reason(result: &Result<Value, Interruption>) -> Option<StopReason> {
    match result {
        Err(Interruption::Fail(failure) | Interruption::Bury(failure) | Interruption::Retry { failure, .. }) => {
            Some(failure.reason)
        }
        Err(Interruption::Cancelled) => Some(StopReason::Cancelled),
        Ok(_) | Err(Interruption::Release { .. } | Interruption::Lost) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: u64, ceiling: u64, granted: u64) {
        let policy = retry_policy(RetrySpec { max_delay: Duration::from_secs(ceiling), ..RetrySpec::default() });
        assert_eq!(granted_rest(Duration::from_secs(asked), &policy), Duration::from_secs(granted));
    }

    #[test]
    fn a_tool_may_ask_for_an_hour_or_as_much_as_the_policy_would_wait() {
        check(30, 60, 30);
        check(3600, 60, 3600);
        check(3601, 60, 3600);
        check(u64::MAX, 60, 3600);
        check(u64::MAX, 7200, 7200);
    }
}
