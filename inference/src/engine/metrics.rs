//! The engine's metrics, declared once, after vLLM's vocabulary. Times are taken at the step, so a slow reader does not
//! show in them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::command::FinishReason;
use super::scheduler::StepPlan;
use super::stats::{EngineStats, Heartbeat};
use crate::backend::BackendMemory;

/// From a token of a small model to a long prompt of a large one.
const STEP_SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
const FIRST_TOKEN_SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Parts of a request's life, and the whole of it.
const REQUEST_SECONDS: [f64; 14] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const STEP_TOKENS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];
/// A request whose reader went away: nobody hears how it ended.
const ABORTED: &str = "aborted";

/// What the engine counts and measures; cheap to clone.
#[derive(Clone)]
pub struct EngineMetrics {
    requests_running: IntGauge,
    requests_waiting: IntGauge,
    kv_cache_usage: Gauge,
    /// Used, cached, free.
    kv_tokens: [IntGauge; 3],
    prefix_cache_queries: IntCounter,
    prefix_cache_hits: IntCounter,
    preemptions: IntCounter,
    prompt_tokens: IntCounter,
    generation_tokens: IntCounter,
    forced_tokens: IntCounter,
    draft_tokens: IntCounter,
    accepted_draft_tokens: IntCounter,
    iteration_tokens: Histogram,
    step_seconds: Histogram,
    time_to_first_token_seconds: Histogram,
    inter_token_latency_seconds: Histogram,
    request_queue_time_seconds: Histogram,
    request_prefill_time_seconds: Histogram,
    request_decode_time_seconds: Histogram,
    e2e_request_latency_seconds: Histogram,
    requests: IntCounterVec,
    /// Weights, KV, workspace, free.
    memory_bytes: [IntGauge; 4],
    heartbeat: Arc<Heartbeat>,
}

/// When a request came to which part of its life. What a preemption makes it do again counts where it stands then.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTimes {
    accepted_at: Instant,
    admitted_at: Option<Instant>,
    first_token_at: Option<Instant>,
    last_token_at: Option<Instant>,
}

impl RequestTimes {
    pub(super) fn new(accepted_at: Instant) -> Self {
        RequestTimes { accepted_at, admitted_at: None, first_token_at: None, last_token_at: None }
    }
}

impl EngineMetrics {
    /// Declares the metrics of one engine. An error means that the registry has some of these names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let heartbeat = Arc::new(Heartbeat::default());
        registry.register(Box::new(LastStepAge::new(heartbeat.clone())?))?;
        let declare = Declare { registry };
        let kv_tokens = declare.gauges(
            "openclaw_engine_kv_tokens",
            "Tokens of KV that sequences hold (used), that are kept for prompts that begin alike (cached), or neither.",
            &["state"],
        )?;
        let memory_bytes = declare.gauges(
            "openclaw_gpu_memory_bytes",
            "Memory of the engine by device and use; free is KV budget that was never written to.",
            &["device", "kind"],
        )?;
        let requests = declare.counters("request_success_total", "Requests that ended, by how.", "finish")?;
        for finish in ["stop", "length", "deadline", "stopped", "failed", ABORTED] {
            requests.with_label_values(&[finish]);
        }
        Ok(EngineMetrics {
            requests_running: declare.gauge("requests_running", "Sequences that hold KV.")?,
            requests_waiting: declare.gauge("requests_waiting", "Sequences not yet admitted, or preempted.")?,
            kv_cache_usage: declare.share("kv_cache_usage", "Share of the KV that sequences hold, from 0 to 1.")?,
            kv_tokens: ["used", "cached", "free"].map(|state| kv_tokens.with_label_values(&[state])),
            prefix_cache_queries: declare
                .counter("prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.")?,
            prefix_cache_hits: declare
                .counter("prefix_cache_hits_total", "Prompt tokens that the prefix cache had.")?,
            preemptions: declare.counter("preemptions_total", "Sequences that had to give way and wait again.")?,
            prompt_tokens: declare.counter("prompt_tokens_total", "Tokens of prompts that were read.")?,
            generation_tokens: declare.counter("generation_tokens_total", "Tokens generated.")?,
            forced_tokens: declare.counter(
                "forced_tokens_total",
                "Generated tokens that a grammar forced, without a step of their own.",
            )?,
            draft_tokens: declare
                .counter("spec_decode_num_draft_tokens_total", "Tokens guessed from what stands in the sequence.")?,
            accepted_draft_tokens: declare
                .counter("spec_decode_num_accepted_tokens_total", "Guessed tokens that were right.")?,
            iteration_tokens: declare.histogram("iteration_tokens", "Rows of one step.", &STEP_TOKENS)?,
            step_seconds: declare.histogram("step_seconds", "Time of one step.", &STEP_SECONDS)?,
            time_to_first_token_seconds: declare.histogram(
                "time_to_first_token_seconds",
                "Time from acceptance to the first token.",
                &FIRST_TOKEN_SECONDS,
            )?,
            inter_token_latency_seconds: declare.histogram(
                "inter_token_latency_seconds",
                "Time from one token of a sequence to the next.",
                &STEP_SECONDS,
            )?,
            request_queue_time_seconds: declare.histogram(
                "request_queue_time_seconds",
                "Time from acceptance to admission.",
                &REQUEST_SECONDS,
            )?,
            request_prefill_time_seconds: declare.histogram(
                "request_prefill_time_seconds",
                "Time from admission to the first token.",
                &REQUEST_SECONDS,
            )?,
            request_decode_time_seconds: declare.histogram(
                "request_decode_time_seconds",
                "Time from the first token to the last.",
                &REQUEST_SECONDS,
            )?,
            e2e_request_latency_seconds: declare.histogram(
                "e2e_request_latency_seconds",
                "Time from acceptance to the end.",
                &REQUEST_SECONDS,
            )?,
            requests,
            memory_bytes: ["weights", "kv", "workspace", "free"]
                .map(|kind| memory_bytes.with_label_values(&["cpu", kind])),
            heartbeat,
        })
    }

    pub(super) fn heartbeat(&self) -> Arc<Heartbeat> {
        self.heartbeat.clone()
    }

    /// What comes after a preemption is neither waiting nor a look-up of the prompt.
    pub(super) fn admitted(&self, times: &mut RequestTimes, now: Instant, prompt_tokens: usize, num_cached: usize) {
        if times.admitted_at.is_none() {
            times.admitted_at = Some(now);
            self.request_queue_time_seconds.observe(seconds(times.accepted_at, now));
            self.prefix_cache_queries.inc_by(prompt_tokens as u64);
            self.prefix_cache_hits.inc_by(num_cached as u64);
        }
    }

    pub(super) fn planned(&self, plan: &StepPlan) {
        let num_drafts: usize = plan.chunks.iter().map(|chunk| chunk.num_drafts).sum();
        self.draft_tokens.inc_by(num_drafts as u64);
        self.preemptions.inc_by(plan.num_preempted as u64);
        self.iteration_tokens.observe(plan.num_rows() as f64);
    }

    /// The sequence's next token is there; the first one closes its prompt.
    pub(super) fn generated(&self, times: &mut RequestTimes, now: Instant, prompt_tokens: usize) {
        self.generation_tokens.inc();
        match times.last_token_at.replace(now) {
            Some(last) => self.inter_token_latency_seconds.observe(seconds(last, now)),
            None => {
                times.first_token_at = Some(now);
                self.prompt_tokens.inc_by(prompt_tokens as u64);
                self.time_to_first_token_seconds.observe(seconds(times.accepted_at, now));
                let admitted_at = times.admitted_at.unwrap_or(times.accepted_at);
                self.request_prefill_time_seconds.observe(seconds(admitted_at, now));
            }
        }
    }

    /// So many tokens of a prompt were computed for another one after its admission.
    pub(super) fn taken_over(&self, num_tokens: usize) {
        self.prefix_cache_hits.inc_by(num_tokens as u64);
    }

    /// So many guessed tokens were what would have been chosen anyway.
    pub(super) fn accepted(&self, num_drafts: usize) {
        self.accepted_draft_tokens.inc_by(num_drafts as u64);
    }

    /// A token that the grammar left no choice about, and that took no step of its own.
    pub(super) fn forced(&self) {
        self.generation_tokens.inc();
        self.forced_tokens.inc();
    }

    pub(super) fn stepped(&self, elapsed: Duration) {
        self.step_seconds.observe(elapsed.as_secs_f64());
    }

    pub(super) fn finished(&self, times: &RequestTimes, reason: &FinishReason) {
        self.requests.with_label_values(&[reason.as_str()]).inc();
        self.e2e_request_latency_seconds.observe(times.accepted_at.elapsed().as_secs_f64());
        if let (Some(first), Some(last)) = (times.first_token_at, times.last_token_at) {
            self.request_decode_time_seconds.observe(seconds(first, last));
        }
    }

    pub(super) fn aborted(&self) {
        self.requests.with_label_values(&[ABORTED]).inc();
    }

    pub(super) fn observe(&self, stats: &EngineStats, memory: BackendMemory, kv_budget_bytes: u64) {
        self.requests_running.set(signed(stats.running as u64));
        self.requests_waiting.set(signed(stats.waiting as u64));
        let kv_tokens = [stats.kv_tokens_used, stats.kv_tokens_cached, stats.kv_tokens_free];
        self.kv_cache_usage.set(stats.kv_tokens_used as f64 / kv_tokens.iter().sum::<usize>().max(1) as f64);
        for (gauge, tokens) in self.kv_tokens.iter().zip(kv_tokens) {
            gauge.set(signed(tokens as u64));
        }
        let free = kv_budget_bytes.saturating_sub(memory.kv);
        for (gauge, bytes) in self.memory_bytes.iter().zip([memory.weights, memory.kv, memory.workspace, free]) {
            gauge.set(signed(bytes));
        }
    }
}

/// Declares metrics in a registry; those without labels below `openclaw_engine_`.
struct Declare<'a> {
    registry: &'a Registry,
}

impl Declare<'_> {
    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.registered(IntGauge::with_opts(engine_opts(name, help))?)
    }

    fn share(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.registered(Gauge::with_opts(engine_opts(name, help))?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.registered(IntCounter::with_opts(engine_opts(name, help))?)
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> Result<IntCounterVec, prometheus::Error> {
        self.registered(IntCounterVec::new(engine_opts(name, help), &[label])?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let opts = HistogramOpts { common_opts: engine_opts(name, help), buckets: buckets.to_vec() };
        self.registered(Histogram::with_opts(opts)?)
    }

    fn registered<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}

fn engine_opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("openclaw_engine_{name}"), help)
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
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
