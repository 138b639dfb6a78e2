//! What became of the submitted tasks.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// The end of one submitted task, as the submitter saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It ended with a result.
    Succeeded,
    /// It ended without one.
    Failed,
    /// The server was full (429).
    Refused,
    /// It had not ended when the wait was over.
    TimedOut,
    /// No answer at all.
    Unreachable,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
            Outcome::TimedOut => "timed_out",
            Outcome::Unreachable => "unreachable",
        }
    }
}

/// Counts by outcome and the latencies of what succeeded.
pub(crate) struct Summary {
    offered_per_minute: f64,
    outcomes: BTreeMap<Outcome, usize>,
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Summary {
    pub(crate) fn new(offered_per_minute: f64) -> Self {
        Summary { offered_per_minute, outcomes: BTreeMap::new(), latencies: Vec::new(), elapsed: Duration::ZERO }
    }

    pub(crate) fn record(&mut self, outcome: Outcome, latency: Duration) {
        *self.outcomes.entry(outcome).or_default() += 1;
        if outcome == Outcome::Succeeded {
            self.latencies.push(latency);
        }
    }

    pub(crate) fn ended(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
        self.latencies.sort_unstable();
    }

    pub(crate) fn all_succeeded(&self) -> bool {
        !self.outcomes.is_empty() && self.outcomes.keys().all(|outcome| *outcome == Outcome::Succeeded)
    }

    /// The latency that `share` of the succeeded tasks stayed within (nearest rank).
    fn percentile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied()
    }

    fn completed_per_minute(&self) -> f64 {
        self.latencies.len() as f64 * 60.0 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    pub(crate) fn to_json(&self) -> Value {
        let seconds = |share| self.percentile(share).map(|latency| latency.as_secs_f64());
        let outcomes: BTreeMap<_, _> = self.outcomes.iter().map(|(outcome, count)| (outcome.as_str(), count)).collect();
        json!({
            "offered_per_minute": self.offered_per_minute,
            "completed_per_minute": self.completed_per_minute(),
            "outcomes": outcomes,
            "latency_seconds": {"p50": seconds(0.5), "p95": seconds(0.95), "p99": seconds(0.99), "max": seconds(1.0)},
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "offered    {:>8.1} tasks/min", self.offered_per_minute)?;
        writeln!(f, "completed  {:>8.1} tasks/min", self.completed_per_minute())?;
        for (outcome, count) in &self.outcomes {
            writeln!(f, "{:<11}{count:>8}", outcome.as_str())?;
        }
        for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)] {
            if let Some(latency) = self.percentile(share) {
                writeln!(f, "{name:<11}{:>8.3} s", latency.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank_over_what_succeeded() {
        let mut summary = Summary::new(60.0);
        for millis in (1..=100).rev() {
            summary.record(Outcome::Succeeded, Duration::from_millis(millis));
        }
        summary.record(Outcome::Failed, Duration::from_secs(99));
        summary.ended(Duration::from_secs(60));
        assert_eq!(summary.percentile(0.5), Some(Duration::from_millis(50)));
        assert_eq!(summary.percentile(0.99), Some(Duration::from_millis(99)));
        assert_eq!(summary.percentile(1.0), Some(Duration::from_millis(100)));
        assert!(!summary.all_succeeded());
    }
}
