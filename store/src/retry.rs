//! When a failed task runs again. Pure: the caller supplies the count of failures and the randomness.

use std::time::Duration;

/// Exponential backoff with a ceiling: `initial * multiplier^(failures - 1)`, shortened by up to `jitter`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Delay before the first retry.
    pub initial: Duration,
    /// Growth from one retry to the next.
    pub multiplier: f64,
    /// No delay is longer.
    pub ceiling: Duration,
    /// Share of the delay that may be taken off, `0.0..=1.0`; spreads tasks that failed together.
    pub jitter: f64,
    /// Retries after the first execution; 0 means one execution.
    pub max_retries: u32,
}

/// What happens to a task after a failure that may be retried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// It runs again.
    RetryAfter(Duration),
    /// Its retries are spent.
    Bury,
}

impl RetryPolicy {
    /// `failures` counts this one; `unit` is uniform in `0.0..1.0`.
    pub fn after(&self, failures: u32, unit: f64) -> Next {
        if self.max_retries < failures {
            return Next::Bury;
        }
        let exponent = failures.saturating_sub(1).min(i32::MAX as u32) as i32;
        let seconds = self.initial.as_secs_f64() * self.multiplier.powi(exponent);
        // Compared as floats first: a large power is infinite, and `Duration` cannot hold that.
        let delay = seconds.min(self.ceiling.as_secs_f64());
        Next::RetryAfter(Duration::from_secs_f64(delay * (1.0 - self.jitter * unit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        initial: Duration::from_secs(2),
        multiplier: 1.5,
        ceiling: Duration::from_secs(60),
        jitter: 0.5,
        max_retries: 2,
    };

    #[track_caller]
    fn check(failures: u32, unit: f64, expected: Next) {
        assert_eq!(POLICY.after(failures, unit), expected);
    }

    #[test]
    fn delay_grows_by_the_multiplier() {
        check(1, 0.0, Next::RetryAfter(Duration::from_secs(2)));
        check(2, 0.0, Next::RetryAfter(Duration::from_secs(3)));
    }

    #[test]
    fn jitter_only_shortens() {
        check(1, 0.5, Next::RetryAfter(Duration::from_millis(1500)));
    }

    #[test]
    fn the_task_is_buried_when_its_retries_are_spent() {
        check(3, 0.0, Next::Bury);
    }

    #[test]
    fn no_delay_exceeds_the_ceiling() {
        let policy = RetryPolicy { max_retries: u32::MAX, ..POLICY };
        assert_eq!(policy.after(u32::MAX, 0.0), Next::RetryAfter(Duration::from_secs(60)));
    }
}
