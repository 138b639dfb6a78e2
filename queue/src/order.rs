//! Which class is served next. Pure: a function of what waits and of what was served before.

use types::TaskClass;

/// Turns per round of each class, in the order of [`TaskClass::ALL`].
const WEIGHTS: [i64; 3] = [8, 3, 1];

/// Serves classes in proportion 8 : 3 : 1 (interactive, normal, batch) among those that wait.
///
/// Smooth weighted round robin: each waiting class gains its weight, the richest is served and pays the sum. A class
/// that always waits is therefore served at least once in any 12 picks, whatever waits beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassOrder {
    credit: [i64; 3],
}

impl ClassOrder {
    /// A class that waits longest may be passed over this many times in a row.
    pub const STARVATION_BOUND: usize = 11;

    /// The class to serve among those with `waiting > 0`; `None` when nothing waits.
    pub fn pick(&mut self, waiting: [usize; 3]) -> Option<TaskClass> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for class in 0..WEIGHTS.len() {
            if waiting[class] == 0 {
                // Who does not wait neither saves up turns nor owes any.
                self.credit[class] = 0;
                continue;
            }
            self.credit[class] += WEIGHTS[class];
            total += WEIGHTS[class];
            // On a tie the more urgent class, which comes first.
            if best.is_none_or(|best| self.credit[best] < self.credit[class]) {
                best = Some(class);
            }
        }
        let best = best?;
        self.credit[best] -= total;
        Some(TaskClass::ALL[best])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskClass::{Batch, Interactive, Normal};

    fn picks(waiting: [usize; 3], count: usize) -> Vec<TaskClass> {
        let mut order = ClassOrder::default();
        (0..count).filter_map(|_| order.pick(waiting)).collect()
    }

    #[track_caller]
    fn check_shares(waiting: [usize; 3], expected: [usize; 3]) {
        let picked = picks(waiting, expected.iter().sum());
        assert_eq!(TaskClass::ALL.map(|class| picked.iter().filter(|&&one| one == class).count()), expected);
    }

    #[test]
    fn the_most_urgent_class_is_served_first() {
        assert_eq!(picks([1, 1, 1], 1), [Interactive]);
        assert_eq!(picks([0, 1, 1], 1), [Normal]);
        assert_eq!(picks([0, 0, 1], 1), [Batch]);
        assert_eq!(picks([0, 0, 0], 1), []);
    }

    #[test]
    fn classes_that_wait_share_by_weight() {
        check_shares([9, 9, 9], [8, 3, 1]);
        check_shares([9, 9, 0], [8, 3, 0]);
        check_shares([9, 0, 9], [8, 0, 1]);
        check_shares([0, 9, 9], [0, 3, 1]);
        check_shares([0, 0, 9], [0, 0, 12]);
    }

    #[test]
    fn no_class_that_waits_is_passed_over_longer_than_the_bound() {
        // Every pattern of three rounds in which the more urgent classes come and go while batch waits.
        for pattern in 0..(1_u32 << 12) {
            let mut order = ClassOrder::default();
            let mut passed_over = 0;
            for round in 0..36 {
                let waiting = [usize::from(pattern >> (round % 12) & 1 == 1), usize::from(round % 3 == 0), 1];
                match order.pick(waiting) {
                    Some(Batch) => passed_over = 0,
                    _ => passed_over += 1,
                }
                assert!(passed_over <= ClassOrder::STARVATION_BOUND, "pattern {pattern:b}");
            }
        }
    }

    #[test]
    fn a_class_that_was_empty_has_saved_up_nothing() {
        let mut order = ClassOrder::default();
        for _ in 0..100 {
            order.pick([1, 0, 0]);
        }
        assert_eq!(order.pick([1, 0, 1]), Some(Interactive));
    }
}
