//! What operators see of the agents. Declared once, measured where the typed field is used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use types::{AgentName, TaskClass};

/// Seconds a task may take: from a cached answer to a long report.
const LATENCY_BUCKETS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0];

/// Seconds a task may wait: from a free worker to an hour behind a flood.
const WAIT_BUCKETS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// The metrics of agents, sessions, tools and the pool; cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkerMetrics {
    /// Executions by how they ended: a terminal state, `retried`, `released` or `lost`.
    pub tasks: IntCounterVec,
    /// Seconds from opening a task to its outcome.
    pub latency: HistogramVec,
    /// Seconds from a task being ready for a worker to its opening.
    pub wait: HistogramVec,
    /// Executions that ended without an answer, by stop reason; what was released or lost is no error.
    pub errors: IntCounterVec,
    /// Tool calls by outcome.
    pub tool_calls: IntCounterVec,
    /// Sessions thrown away, by reason.
    pub session_resets: IntCounterVec,
    /// Workers by state.
    pub pool_workers: IntGaugeVec,
    /// The number of workers the autoscaler aims for.
    pub pool_target: IntGauge,
    session_context: IntGaugeVec,
    sessions: Arc<Mutex<HashMap<(AgentName, u32), usize>>>,
}

impl WorkerMetrics {
    /// Declares every metric on `registry`.
    ///
    /// # Errors
    /// When a name is taken: the metrics of one process are declared once.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let gauge = |name, help, labels: &[&str]| {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let latency = HistogramVec::new(
            HistogramOpts::new("openclaw_agent_latency_seconds", "Seconds from opening a task to its outcome")
                .buckets(LATENCY_BUCKETS.to_vec()),
            &["agent"],
        )?;
        registry.register(Box::new(latency.clone()))?;
        let wait = HistogramVec::new(
            HistogramOpts::new("openclaw_task_wait_seconds", "Seconds from being ready for a worker to being opened")
                .buckets(WAIT_BUCKETS.to_vec()),
            &["class"],
        )?;
        registry.register(Box::new(wait.clone()))?;
        for class in TaskClass::ALL {
            wait.with_label_values(&[class.as_str()]);
        }
        let pool_target = IntGauge::new("openclaw_pool_target_workers", "Workers the autoscaler aims for")?;
        registry.register(Box::new(pool_target.clone()))?;
        Ok(WorkerMetrics {
            tasks: counter("openclaw_agent_tasks_total", "Executions by how they ended", &["agent", "status"])?,
            latency,
            wait,
            errors: counter(
                "openclaw_agent_errors_total",
                "Executions without success by reason",
                &["agent", "reason"],
            )?,
            tool_calls: counter("openclaw_tool_calls_total", "Tool calls by outcome", &["agent", "tool", "outcome"])?,
            session_resets: counter("openclaw_session_resets_total", "Sessions reset by reason", &["agent", "reason"])?,
            pool_workers: gauge("openclaw_pool_workers", "Workers by state", &["state"])?,
            pool_target,
            session_context: gauge(
                "openclaw_session_context_tokens",
                "Tokens in the largest live session of an agent",
                &["agent"],
            )?,
            sessions: Arc::default(),
        })
    }

    /// The session of `agent` in worker slot `slot` now holds `tokens`.
    pub fn session_holds(&self, agent: &AgentName, slot: u32, tokens: usize) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert((agent.clone(), slot), tokens);
        self.publish_largest(agent, &sessions);
    }

    /// The session of `agent` in worker slot `slot` is gone.
    pub fn session_ended(&self, agent: &AgentName, slot: u32) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&(agent.clone(), slot));
        self.publish_largest(agent, &sessions);
    }

    fn publish_largest(&self, agent: &AgentName, sessions: &HashMap<(AgentName, u32), usize>) {
        let largest = sessions.iter().filter(|((name, _), _)| name == agent).map(|(_, tokens)| *tokens).max();
        let largest = i64::try_from(largest.unwrap_or(0)).unwrap_or(i64::MAX);
        self.session_context.with_label_values(&[agent.as_str()]).set(largest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_gauge_shows_the_largest_live_session_of_an_agent() {
        let metrics = WorkerMetrics::register(&Registry::new()).unwrap();
        let agent: AgentName = "a".parse().unwrap();
        let shown = || metrics.session_context.with_label_values(&["a"]).get();
        metrics.session_holds(&agent, 0, 100);
        metrics.session_holds(&agent, 1, 300);
        assert_eq!(shown(), 300);
        metrics.session_ended(&agent, 1);
        assert_eq!(shown(), 100);
        metrics.session_ended(&agent, 0);
        assert_eq!(shown(), 0);
    }
}
