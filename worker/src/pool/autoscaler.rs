//! How many workers there should be. Pure: the caller supplies the stats and applies the decision.

use std::time::Duration;

/// The limits the pool is kept within; from `openclaw_core.agents`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Workers that always stand ready.
    pub warm: usize,
    /// Workers there may be at most.
    pub max: usize,
    /// Waiting tasks above which workers are added.
    pub scale_up_depth: usize,
    /// How long a worker beyond the warm ones may stand idle.
    pub idle_timeout: Duration,
    /// Time that must pass after one growth before the next, so that new workers can show their effect.
    pub cool_down: Duration,
}

/// What the pool looks like now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolStats {
    /// Tasks that wait in the queue, all classes.
    pub depth: usize,
    /// Workers that are neither draining nor stopped.
    pub workers: usize,
    /// How long each idle worker has been idle.
    pub idle_for: Vec<Duration>,
    /// Time since the pool last grew beyond its warm workers; `None` if it never did.
    pub since_growth: Option<Duration>,
}

/// The number of workers to aim for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Workers to have, within `warm..=max`.
    pub workers: usize,
}

/// One more worker for each `scale_up_depth` waiting tasks above the warm ones, held between growths by the
/// cool-down; one fewer for each worker idle beyond the timeout while nothing waits.
pub(crate) fn decide(stats: &PoolStats, limits: &PoolLimits) -> Target {
    let max = limits.max.max(limits.warm);
    if stats.workers < limits.warm {
        return Target { workers: limits.warm };
    }
    if stats.depth > limits.scale_up_depth {
        if stats.since_growth.is_some_and(|since| since < limits.cool_down) {
            return Target { workers: stats.workers.min(max) };
        }
        let wanted = limits.warm + stats.depth.div_ceil(limits.scale_up_depth.max(1));
        return Target { workers: wanted.clamp(stats.workers.min(max), max) };
    }
    let stale = stats.idle_for.iter().filter(|idle| **idle >= limits.idle_timeout).count();
    let recyclable = if stats.depth == 0 { stale } else { 0 };
    Target { workers: stats.workers.saturating_sub(recyclable).clamp(limits.warm, max) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PoolLimits = PoolLimits {
        warm: 5,
        max: 12,
        scale_up_depth: 10,
        idle_timeout: Duration::from_secs(120),
        cool_down: Duration::from_secs(5),
    };

    fn busy(workers: usize, depth: usize) -> PoolStats {
        PoolStats { depth, workers, idle_for: vec![], since_growth: None }
    }

    #[track_caller]
    fn check(stats: PoolStats, expected: usize) {
        assert_eq!(decide(&stats, &LIMITS), Target { workers: expected });
    }

    #[test]
    fn warm_workers_stand_ready_without_any_load() {
        check(busy(0, 0), 5);
        check(busy(4, 0), 5);
    }

    #[test]
    fn the_pool_grows_only_above_the_depth_threshold() {
        check(busy(5, 10), 5);
        check(busy(5, 11), 7);
    }

    #[test]
    fn growth_stops_at_the_maximum() {
        check(busy(5, 100_000), 12);
        check(busy(12, 100_000), 12);
    }

    #[test]
    fn a_growth_is_given_time_to_show_its_effect() {
        check(PoolStats { since_growth: Some(Duration::from_secs(4)), ..busy(7, 50) }, 7);
        check(PoolStats { since_growth: Some(Duration::from_secs(5)), ..busy(7, 50) }, 10);
    }

    #[test]
    fn a_deep_queue_never_shrinks_the_pool() {
        check(busy(9, 11), 9);
    }

    #[test]
    fn workers_idle_beyond_the_timeout_are_recycled_down_to_the_warm_ones() {
        let idle = |count: usize| vec![Duration::from_secs(121); count];
        check(PoolStats { idle_for: idle(2), ..busy(8, 0) }, 6);
        check(PoolStats { idle_for: idle(8), ..busy(8, 0) }, 5);
        check(PoolStats { idle_for: vec![Duration::from_secs(60); 8], ..busy(8, 0) }, 8);
        check(PoolStats { idle_for: idle(2), ..busy(8, 3) }, 8);
    }
}
