//! How long to wait before the next attempt to reach a server. Pure but for the randomness, which the caller brings.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(3);

/// Doubles with every failure in a row, up to three seconds; up to half is taken off, so that processes that lost the
/// same server do not come back together. `unit` is uniform in `0.0..1.0`.
pub(crate) fn delay(failures: u32, unit: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(LONGEST).mul_f64(1.0 - unit / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_a_bound() {
        let delays = [1, 2, 3, 7, 100].map(|failures| delay(failures, 0.0).as_millis());
        assert_eq!(delays, [50, 100, 200, 3000, 3000]);
    }

    #[test]
    fn chance_takes_off_up_to_half() {
        assert_eq!(delay(2, 0.5), Duration::from_millis(75));
        assert!(Duration::from_millis(49) < delay(2, 0.999));
    }
}
