//! What operators see of the queue in Redis. Declared once, here.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use redis::RedisError;

use super::fault::Fault;

/// The metrics of the queue in Redis; clones share them.
#[derive(Clone, Debug)]
pub struct RedisMetrics {
    errors: IntCounterVec,
    reconnects: IntCounter,
    claimed: IntCounter,
}

impl RedisMetrics {
    /// Registers them. Fails when the registry has them already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = RedisMetrics {
            errors: IntCounterVec::new(Opts::new("openclaw_redis_errors_total", "Errors of Redis by kind"), &["kind"])?,
            reconnects: IntCounter::new("openclaw_redis_reconnects_total", "Connections to Redis that were made anew")?,
            claimed: IntCounter::new(
                "openclaw_queue_claimed_total",
                "Ids that were delivered, never opened, and put back into the queue",
            )?,
        };
        for fault in Fault::ALL {
            metrics.errors.with_label_values(&[fault.as_str()]);
        }
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.reconnects.clone()))?;
        registry.register(Box::new(metrics.claimed.clone()))?;
        Ok(metrics)
    }
}

/// Counts where metrics are kept, and nowhere else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(pub(crate) Option<RedisMetrics>);

impl Tally {
    pub(crate) fn failed(&self, error: &RedisError) {
        self.met(Fault::of(error));
    }

    pub(crate) fn met(&self, fault: Fault) {
        if let Some(metrics) = &self.0 {
            metrics.errors.with_label_values(&[fault.as_str()]).inc();
        }
    }

    pub(crate) fn reconnected(&self) {
        if let Some(metrics) = &self.0 {
            metrics.reconnects.inc();
        }
    }

    pub(crate) fn claimed(&self, ids: usize) {
        if let Some(metrics) = &self.0 {
            metrics.claimed.inc_by(ids as u64);
        }
    }
}
