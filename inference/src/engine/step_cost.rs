//! What a row more costs in a step, learnt from the steps themselves: a line through rows and seconds, in which each step
//! counts for a little less than the one after it.

use std::time::Duration;

/// What an older step counts for beside the next one.
const KEPT: f64 = 0.98;
/// Before anything is known, reading the weights takes as long as computing so many rows.
const DEFAULT_BASE_ROWS: f64 = 8.0;
const BASE_ROWS: std::ops::RangeInclusive<f64> = 1.0..=32.0;

/// Sums over past steps.
#[derive(Clone, Debug, Default)]
pub(super) struct StepCost {
    weight: f64,
    rows: f64,
    seconds: f64,
    rows_rows: f64,
    rows_seconds: f64,
}

impl StepCost {
    /// A step of so many rows took so long.
    pub(super) fn observe(&mut self, num_rows: usize, elapsed: Duration) {
        let (rows, seconds) = (num_rows as f64, elapsed.as_secs_f64());
        for (sum, value) in [
            (&mut self.weight, 1.0),
            (&mut self.rows, rows),
            (&mut self.seconds, seconds),
            (&mut self.rows_rows, rows * rows),
            (&mut self.rows_seconds, rows * seconds),
        ] {
            *sum = *sum * KEPT + value;
        }
    }

    /// So many rows cost as much as a step has to cost before its first.
    pub(super) fn base_rows(&self) -> f64 {
        let spread = self.weight * self.rows_rows - self.rows * self.rows;
        if spread <= self.weight * self.weight {
            return DEFAULT_BASE_ROWS;
        }
        let per_row = (self.weight * self.rows_seconds - self.rows * self.seconds) / spread;
        let base = (self.seconds - per_row * self.rows) / self.weight;
        let base_rows = if per_row > 0.0 { base / per_row } else { *BASE_ROWS.end() };
        base_rows.clamp(*BASE_ROWS.start(), *BASE_ROWS.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(steps: &[(usize, u64)]) -> f64 {
        let mut cost = StepCost::default();
        for (rows, micros) in steps.iter().cycle().take(50) {
            cost.observe(*rows, Duration::from_micros(*micros));
        }
        cost.base_rows()
    }

    #[test]
    fn a_line_is_learnt_from_steps_of_different_sizes() {
        assert!((learnt(&[(1, 1100), (5, 1500), (9, 1900)]) - 10.0).abs() < 0.01);
        assert!((learnt(&[(2, 600), (6, 1000), (3, 700)]) - 4.0).abs() < 0.01);
    }

    #[test]
    fn what_cannot_be_learnt_is_assumed() {
        assert_eq!(learnt(&[]), DEFAULT_BASE_ROWS);
        assert_eq!(learnt(&[(3, 900)]), DEFAULT_BASE_ROWS);
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        assert_eq!(learnt(&[(1, 900), (9, 800)]), 32.0);
        assert_eq!(learnt(&[(1, 10), (9, 8000)]), 1.0);
    }
}
