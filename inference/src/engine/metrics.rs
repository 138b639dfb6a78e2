//! The engine's metrics, declared once.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::command::FinishReason;
use super::run::Request;
use super::stats::{EngineStats, Heartbeat};
use crate::backend::BackendMemory;

/// From a token of a small model to a long prompt of a large one.
const STEP_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
const FIRST_TOKEN_SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// A request whose reader went away: nobody hears how it ended.
const ABORTED: &str = "aborted";

/// What the engine counts and measures; cheap to clone.
#[derive(Clone)]
pub struct EngineMetrics {
    requests_running: IntGauge,
    requests_waiting: IntGauge,
    kv_tokens: IntGaugeVec,
    prompt_tokens: IntCounter,
    generation_tokens: IntCounter,
    step_seconds: Histogram,
    time_to_first_token_seconds: Histogram,
    requests: IntCounterVec,
    memory_bytes: IntGaugeVec,
    heartbeat: Arc<Heartbeat>,
}

impl EngineMetrics {
    /// Declares the metrics of one engine. An error means that the registry has some of these names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name, help| registered(registry, IntGauge::new(name, help)?);
        let counter = |name, help| registered(registry, IntCounter::new(name, help)?);
        let histogram = |name, help, buckets: &[f64]| {
            registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
        };
        let heartbeat = Arc::new(Heartbeat::default());
        let metrics = EngineMetrics {
            requests_running: gauge("openclaw_engine_requests_running", "Sequences that hold KV.")?,
            requests_waiting: gauge("openclaw_engine_requests_waiting", "Sequences accepted and not yet admitted.")?,
            kv_tokens: registered(
                registry,
                IntGaugeVec::new(
                    Opts::new("openclaw_engine_kv_tokens", "Tokens of the KV budget that are reserved or free."),
                    &["state"],
                )?,
            )?,
            prompt_tokens: counter("openclaw_engine_prompt_tokens_total", "Prompt tokens computed.")?,
            generation_tokens: counter("openclaw_engine_generation_tokens_total", "Tokens generated.")?,
            step_seconds: histogram("openclaw_engine_step_seconds", "Time of one step.", &STEP_SECONDS)?,
            time_to_first_token_seconds: histogram(
                "openclaw_engine_time_to_first_token_seconds",
                "Time from acceptance to the first token.",
                &FIRST_TOKEN_SECONDS,
            )?,
            requests: registered(
                registry,
                IntCounterVec::new(
                    Opts::new("openclaw_engine_requests_total", "Requests that ended, by how they ended."),
                    &["finish"],
                )?,
            )?,
            memory_bytes: registered(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "openclaw_gpu_memory_bytes",
                        "Memory of the engine by device and use; free is KV budget not yet allocated.",
                    ),
                    &["device", "kind"],
                )?,
            )?,
            heartbeat: heartbeat.clone(),
        };
        registry.register(Box::new(LastStepAge::new(heartbeat)?))?;
        for finish in ["stop", "length", "deadline", "stopped", "failed", ABORTED] {
            metrics.requests.with_label_values(&[finish]);
        }
        Ok(metrics)
    }

    pub(super) fn heartbeat(&self) -> Arc<Heartbeat> {
        self.heartbeat.clone()
    }

    /// The sequence's next token is about to be counted; the first one closes its prompt.
    pub(super) fn prefilled(&self, request: Option<&mut Request>) {
        if let Some(request) = request.filter(|request| !request.started) {
            request.started = true;
            self.prompt_tokens.inc_by(request.usage.prompt_tokens as u64);
            self.time_to_first_token_seconds.observe(request.accepted_at.elapsed().as_secs_f64());
        }
    }

    pub(super) fn generated(&self) {
        self.generation_tokens.inc();
    }

    pub(super) fn stepped(&self, elapsed: Duration) {
        self.step_seconds.observe(elapsed.as_secs_f64());
    }

    pub(super) fn finished(&self, reason: &FinishReason) {
        self.requests.with_label_values(&[reason.as_str()]).inc();
    }

    pub(super) fn aborted(&self) {
        self.requests.with_label_values(&[ABORTED]).inc();
    }

    pub(super) fn observe(&self, stats: &EngineStats, memory: BackendMemory, kv_budget_bytes: u64) {
        self.requests_running.set(signed(stats.running as u64));
        self.requests_waiting.set(signed(stats.waiting as u64));
        self.kv_tokens.with_label_values(&["used"]).set(signed(stats.kv_tokens_used as u64));
        self.kv_tokens.with_label_values(&["free"]).set(signed(stats.kv_tokens_free as u64));
        let free = kv_budget_bytes.saturating_sub(memory.kv);
        let kinds = [("weights", memory.weights), ("kv", memory.kv), ("workspace", memory.workspace), ("free", free)];
        for (kind, bytes) in kinds {
            self.memory_bytes.with_label_values(&["cpu", kind]).set(signed(bytes));
        }
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A gauge that is read off the clock when it is asked for.
struct LastStepAge {
    heartbeat: Arc<Heartbeat>,
    gauge: Gauge,
}

impl LastStepAge {
    fn new(heartbeat: Arc<Heartbeat>) -> Result<Self, prometheus::Error> {
        let help = "Time since the engine last came round its loop; about a second when idle.";
        Ok(LastStepAge { heartbeat, gauge: Gauge::new("openclaw_engine_last_step_age_seconds", help)? })
    }
}

impl Collector for LastStepAge {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set(self.heartbeat.age().as_secs_f64());
        self.gauge.collect()
    }
}
