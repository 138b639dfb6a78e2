//! What operators see of the store. Declared once, here.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use types::{TaskClass, TaskState};

use crate::figures::Figures;

/// The store's metrics; clones share them.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    tasks: IntGaugeVec,
    queue_depth: IntGaugeVec,
    queue_oldest_age: GaugeVec,
    accepted: IntCounter,
    finished: IntCounterVec,
    write: Histogram,
}

impl StoreMetrics {
    /// Registers them. Fails when the registry has them already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = StoreMetrics {
            tasks: IntGaugeVec::new(Opts::new("openclaw_tasks", "Tasks by state"), &["state"])?,
            queue_depth: IntGaugeVec::new(
                Opts::new("openclaw_queue_depth", "Tasks that wait for a worker now"),
                &["class"],
            )?,
            queue_oldest_age: GaugeVec::new(
                Opts::new(
                    "openclaw_queue_oldest_age_seconds",
                    "How long the oldest waiting task has been ready for a worker; 0 when none waits",
                ),
                &["class"],
            )?,
            accepted: IntCounter::new("openclaw_tasks_accepted_total", "Tasks accepted by this process")?,
            finished: IntCounterVec::new(
                Opts::new("openclaw_tasks_finished_total", "Tasks that reached a terminal state, by this process"),
                &["state"],
            )?,
            write: Histogram::with_opts(
                HistogramOpts::new("openclaw_store_write_seconds", "Time from asking for a write to its commit")
                    .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            )?,
        };
        for state in TaskState::ALL.into_iter().filter(|state| state.is_terminal()) {
            metrics.finished.with_label_values(&[state.as_str()]);
        }
        metrics.show(&Figures::default());
        registry.register(Box::new(metrics.tasks.clone()))?;
        registry.register(Box::new(metrics.queue_depth.clone()))?;
        registry.register(Box::new(metrics.queue_oldest_age.clone()))?;
        registry.register(Box::new(metrics.accepted.clone()))?;
        registry.register(Box::new(metrics.finished.clone()))?;
        registry.register(Box::new(metrics.write.clone()))?;
        Ok(metrics)
    }

    /// Shows the store's figures. Call it before every scrape is answered.
    pub fn show(&self, figures: &Figures) {
        for state in TaskState::ALL {
            self.tasks.with_label_values(&[state.as_str()]).set(signed(figures.in_state(state)));
        }
        for class in TaskClass::ALL {
            self.queue_depth.with_label_values(&[class.as_str()]).set(signed(figures.queued(class)));
            let age = figures.oldest_queued[class as usize].unwrap_or_default();
            self.oldest_age(class).set(age.as_secs_f64());
        }
    }

    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(crate) fn finished(&self, state: TaskState) {
        self.finished.with_label_values(&[state.as_str()]).inc();
    }

    pub(crate) fn wrote(&self, elapsed: Duration) {
        self.write.observe(elapsed.as_secs_f64());
    }

    fn oldest_age(&self, class: TaskClass) -> Gauge {
        self.queue_oldest_age.with_label_values(&[class.as_str()])
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
