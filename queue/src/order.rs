//! Which class is served next. Pure: a function of what waits and of what was served before.

use types::TaskClass;

/// Turns per round of each class, in the order of [`TaskClass::ALL`].
const WEIGHTS: [i64; 3] = [8, 3, 1];

/// Serves classes in proportion 8 : 3 : 1 (interactive, normal, batch) among those that wait.
///
/// Smooth weighted round robin: each waiting class gains its weight, the richest is served and pays the sum. While the
/// same classes wait, that alone serves each once in any 12 picks; as they come and go, the overdue goes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassOrder {
    credit: [i64; 3],
    /// Picks in a row that served another class while this one waited.
    passed_over: [usize; 3],
}

/// A class that was passed over this often is overdue.
const OVERDUE: usize = 11;

impl ClassOrder {
    /// A class that waits is never passed over more often than this in a row: two may be overdue at once.
    pub const STARVATION_BOUND: usize = OVERDUE + 1;

    /// The class to serve among those with `waiting > 0`; `None` when nothing waits.
    pub fn pick(&mut self, waiting: [usize; 3]) -> Option<TaskClass> {
        let waits = |class: &usize| 0 < waiting[*class];
        self.forget_absent(waiting);
        // `rev`, because of equals the last is taken and the more urgent class comes first.
        let overdue = (0..3).rev().filter(|&class| OVERDUE <= self.passed_over[class]);
        let served = match overdue.max_by_key(|&class| self.passed_over[class]) {
            Some(overdue) => overdue,
            None => (0..3).rev().filter(waits).max_by_key(|&class| self.credit[class] + WEIGHTS[class])?,
        };
        self.serve(served, waiting);
        Some(TaskClass::ALL[served])
    }

    /// How many of each class the next `count` picks would take.
    pub(crate) fn plan(&self, mut waiting: [usize; 3], count: usize) -> [usize; 3] {
        let mut order = self.clone();
        let mut plan = [0; 3];
        for _ in 0..count {
            let Some(class) = order.pick(waiting) else { break };
            waiting[class as usize] -= 1;
            plan[class as usize] += 1;
        }
        plan
    }

    /// Counts what was served, which may differ from the plan. `waiting` is what waited before.
    pub(crate) fn served(&mut self, mut waiting: [usize; 3], served: [usize; 3]) {
        for class in 0..3 {
            for _ in 0..served[class] {
                self.forget_absent(waiting);
                self.serve(class, waiting);
                waiting[class] = waiting[class].saturating_sub(1);
            }
        }
    }

    /// Who does not wait neither saves up turns nor owes any.
    fn forget_absent(&mut self, waiting: [usize; 3]) {
        for class in (0..3).filter(|&class| waiting[class] == 0) {
            (self.credit[class], self.passed_over[class]) = (0, 0);
        }
    }

    fn serve(&mut self, served: usize, waiting: [usize; 3]) {
        for class in (0..3).filter(|&class| 0 < waiting[class]) {
            self.credit[class] += WEIGHTS[class];
            self.credit[served] -= WEIGHTS[class];
            self.passed_over[class] += 1;
        }
        self.passed_over[served] = 0;
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
        // Every pattern in which the others come and go while one class waits.
        for (patient, pattern) in (0..3).flat_map(|class| (0..1_u32 << 12).map(move |pattern| (class, pattern))) {
            let mut order = ClassOrder::default();
            let mut passed_over = 0;
            for round in 0..60 {
                let mut waiting = [usize::from(pattern >> (round % 12) & 1 == 1); 3];
                waiting[(patient + 1) % 3] = usize::from(round % 5 != 0);
                waiting[patient] = 1;
                let served = order.pick(waiting).map(|class| class as usize);
                passed_over = if served == Some(patient) { 0 } else { passed_over + 1 };
                assert!(passed_over <= ClassOrder::STARVATION_BOUND, "class {patient}, pattern {pattern:b}");
            }
        }
    }

    #[test]
    fn many_picks_at_once_share_as_one_by_one() {
        let order = ClassOrder::default();
        assert_eq!(order.plan([9, 9, 9], 12), [8, 3, 1]);
        assert_eq!(order.plan([9, 9, 9], 24), [9, 9, 6]);
        assert_eq!(order.plan([0, 0, 3], 12), [0, 0, 3]);
        let mut order = order;
        order.served([90, 90, 90], [8, 3, 1]);
        assert_eq!(order.credit, [0, 0, 0]);
        // The plan could not be kept: batch was empty after all and is owed nothing; normal got its turn.
        order.served([90, 90, 0], [8, 4, 0]);
        assert_eq!(order.plan([90, 90, 90], 12), [9, 2, 1]);
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
