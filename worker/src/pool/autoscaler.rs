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
    /// Of `max` workers, those that take interactive tasks only: a person waits for no long work of others to end.
    pub reserved_interactive_slots: usize,
}

impl PoolLimits {
    /// Workers that may be there at most.
    pub(crate) fn most(&self) -> usize {
        self.max.max(self.warm)
    }

    /// Workers that may work on other than interactive tasks at a time: at least one, or those would never be done.
    pub(crate) fn unreserved(&self) -> usize {
        self.most().saturating_sub(self.reserved_interactive_slots).max(1)
    }
}

/// A worker that has been idle for this long would have taken a task if there were one for it.
const SETTLED: Duration = Duration::from_millis(250);

/// What the pool looks like now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolStats {
    /// Tasks that wait for a worker, all classes.
    pub depth: usize,
    /// Those of them that a person waits for.
    pub interactive: usize,
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

/// While nobody is free: one more worker for each `scale_up_depth` waiting tasks above the warm ones, held between growths
/// by the cool-down, and one for each waiting interactive task at once. One fewer for each worker idle beyond the timeout
/// while nothing waits.
pub(crate) fn decide(stats: &PoolStats, limits: &PoolLimits) -> Target {
    if stats.workers < limits.warm {
        return Target { workers: limits.warm };
    }
    let present = stats.workers.min(limits.most());
    if stats.depth == 0 {
        let stale = stats.idle_for.iter().filter(|idle| **idle >= limits.idle_timeout).count();
        return Target { workers: stats.workers.saturating_sub(stale).clamp(limits.warm, limits.most()) };
    }
    // What waits while someone is free is paused, or its key is taken: more workers would not help it.
    if stats.idle_for.iter().any(|idle| *idle >= SETTLED) {
        return Target { workers: present };
    }
    let cools_down = stats.since_growth.is_some_and(|since| since < limits.cool_down);
    let for_depth = if stats.depth > limits.scale_up_depth && !cools_down {
        limits.warm + stats.depth.div_ceil(limits.scale_up_depth.max(1))
    } else {
        present
    };
    let for_people = stats.workers.saturating_add(stats.interactive);
    Target { workers: for_depth.max(for_people).clamp(present, limits.most()) }
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
        reserved_interactive_slots: 1,
    };

    fn busy(workers: usize, depth: usize) -> PoolStats {
        PoolStats { depth, interactive: 0, workers, idle_for: vec![], since_growth: None }
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

    #[test]
    fn a_waiting_person_is_given_a_worker_at_once_when_nobody_is_free() {
        let people = |count, workers| PoolStats { interactive: count, depth: count, ..busy(workers, 0) };
        check(people(1, 5), 6);
        check(PoolStats { since_growth: Some(Duration::ZERO), ..people(2, 6) }, 8);
        check(people(100, 6), 12);
        check(PoolStats { idle_for: vec![Duration::from_millis(20)], ..people(1, 5) }, 6);
        check(PoolStats { idle_for: vec![Duration::from_secs(1)], ..people(1, 5) }, 5);
    }

    #[test]
    fn what_waits_while_someone_is_free_is_helped_by_no_more_workers() {
        check(PoolStats { idle_for: vec![Duration::from_secs(1)], ..busy(5, 100_000) }, 5);
    }

    #[test]
    fn some_worker_is_always_left_for_other_classes() {
        let unreserved = |max, reserved_interactive_slots| {
            PoolLimits { warm: 1, max, reserved_interactive_slots, ..LIMITS }.unreserved()
        };
        assert_eq!([unreserved(12, 1), unreserved(12, 0), unreserved(1, 1), unreserved(4, 9)], [11, 12, 1, 1]);
    }
}
