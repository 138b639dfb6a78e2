//! Which class's turn it is, to be admitted or to have its prompts read. Pure: a function of who waits and of who was
//! passed over.

use types::TaskClass;

/// What a class's claim grows by with each turn that passes it over, in the order of [`TaskClass::ALL`].
const WEIGHTS: [usize; 3] = [8, 3, 1];

/// The class with the largest claim goes first, of equals the more urgent one. Claims grow while a class waits, so the
/// urgent go first and none waits for ever: batch is passed over at most 10 times in a row, normal 3 times.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassOrder {
    /// Turns in a row that another class had while this one waited.
    passed_over: [usize; 3],
}

impl ClassOrder {
    /// Whose turn it is among those that wait. Asking changes nothing: who has no room yet keeps its turn until another
    /// class's claim is larger, and only turns that were taken make claims grow.
    pub(super) fn next(&self, waits: [bool; 3]) -> Option<TaskClass> {
        let claim = |class: &TaskClass| WEIGHTS[*class as usize] * (self.passed_over[*class as usize] + 1);
        // `rev`, because of equals the last is taken.
        TaskClass::ALL.into_iter().rev().filter(|class| waits[*class as usize]).max_by_key(claim)
    }

    /// `class` had a turn while these waited.
    pub(super) fn took_turn(&mut self, class: TaskClass, waits: [bool; 3]) {
        for other in TaskClass::ALL.map(|other| other as usize) {
            let is_passed_over = other != class as usize && waits[other];
            // Who does not wait saves up nothing.
            self.passed_over[other] = if is_passed_over { self.passed_over[other] + 1 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Takes `count` turns while `waits` wait; gives how many each class had.
    #[track_caller]
    fn check(waits: [bool; 3], count: usize, expected: [usize; 3]) {
        let mut order = ClassOrder::default();
        let mut turns = [0; 3];
        for _ in 0..count {
            let class = order.next(waits).unwrap_or_default();
            turns[class as usize] += 1;
            order.took_turn(class, waits);
        }
        assert_eq!(turns, expected);
    }

    #[test]
    fn the_urgent_go_first_and_the_others_get_their_share() {
        check([true, true, true], 1, [1, 0, 0]);
        check([false, true, true], 1, [0, 1, 0]);
        check([true, true, true], 120, [73, 36, 11]);
        check([true, true, false], 12, [8, 4, 0]);
        check([true, false, true], 9, [8, 0, 1]);
        check([false, true, true], 4, [0, 3, 1]);
        check([false, false, true], 5, [0, 0, 5]);
        assert_eq!(ClassOrder::default().next([false; 3]), None);
    }

    /// Every state that can come about, with every pattern of who waits.
    #[test]
    fn no_class_is_passed_over_for_ever() {
        let patterns: Vec<[bool; 3]> = (0..8_u8).map(|bits| [0, 1, 2].map(|class| bits >> class & 1 == 1)).collect();
        let (mut seen, mut open) = (BTreeSet::new(), vec![ClassOrder::default()]);
        while let Some(order) = open.pop() {
            for waits in &patterns {
                let mut after = order.clone();
                if let Some(class) = order.next(*waits) {
                    assert!(waits[class as usize], "a class that does not wait has no turn");
                    after.took_turn(class, *waits);
                    assert!(after.passed_over.iter().all(|times| *times <= 10), "{after:?}");
                }
                if seen.insert(after.clone()) {
                    open.push(after);
                }
            }
        }
        let longest = [0, 1, 2].map(|class| seen.iter().map(|order| order.passed_over[class]).max());
        assert_eq!(longest, [Some(1), Some(3), Some(10)]);
    }
}
