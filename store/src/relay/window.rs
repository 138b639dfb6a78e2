//! How many ids the queue may hold of each class. Pure: the caller supplies what left the queue and who is idle.
//!
//! Fairness wants the queue short, since what it holds is served in the order of feeding; throughput wants it never
//! empty. So it holds what workers take until the relay looks again, and something for those that are idle.

use std::time::Duration;

use types::TaskClass;

use crate::controls::Process;

/// Held at least: workers that come free between two hints find one.
const LEAST: usize = 4;
/// Held at most, whatever the rate: bounds what a wipe loses and what a look has to compare.
const MOST: usize = 10_000;
/// Of the difference to another rate, what one look believes: workers that finish together are no rate.
const BELIEVED: f64 = 0.3;
/// A process that was silent for this long, beside another that was not, is not counted.
const SILENCE: Duration = Duration::from_secs(15);

/// How fast each class leaves the queue, and so how much of it to keep there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Ids that left since the last look.
    left: [u32; 3],
    /// Ids per second.
    rates: [f64; 3],
    /// Workers with nothing to do.
    idle: usize,
}

impl Window {
    /// An id of a class was opened, or turned out not to be worth it.
    pub(crate) fn left(&mut self, class: TaskClass) {
        self.left[class as usize] += 1;
    }

    /// Looks at what left in the time `elapsed`.
    pub(crate) fn look(&mut self, elapsed: Duration, processes: &[Process]) {
        for (left, rate) in self.left.iter_mut().zip(&mut self.rates) {
            let seen = f64::from(std::mem::take(left)) / elapsed.as_secs_f64().max(0.001);
            *rate += (seen - *rate) * BELIEVED;
        }
        self.idle = idle(processes);
    }

    /// Ids of the class that the queue may hold until the look after the next.
    pub(crate) fn size(&self, class: TaskClass, tick: Duration) -> usize {
        let taken = self.rates[class as usize] * 2.0 * tick.as_secs_f64();
        LEAST.saturating_add(self.idle).saturating_add(taken.ceil() as usize).min(MOST)
    }
}

/// Workers with nothing to do, in the processes that were heard of lately.
fn idle(processes: &[Process]) -> usize {
    let Some(latest) = processes.iter().map(|process| process.seen_at).max() else { return 0 };
    let live = processes.iter().filter(|process| latest.since(process.seen_at) < SILENCE);
    live.map(|process| process.beat.slots.saturating_sub(process.beat.busy) as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskClass::{Batch, Normal};
    use types::{ProcessId, ProcessRole, Timestamp};

    use crate::controls::ProcessBeat;

    const TICK: Duration = Duration::from_millis(500);

    fn process(slots: u32, busy: u32, seen_at: i64) -> Process {
        let beat = ProcessBeat { process: ProcessId::new(), role: ProcessRole::Worker, slots, busy };
        let (started_at, seen_at) = (Timestamp::from_millis(0), Timestamp::from_millis(seen_at));
        Process { beat, started_at, seen_at }
    }

    /// The size of the normal line after these numbers of ids left it, tick by tick.
    #[track_caller]
    fn check(left: &[u32], processes: &[Process], expected: usize) {
        let mut window = Window::default();
        for &count in left {
            (0..count).for_each(|_| window.left(Normal));
            window.look(TICK, processes);
        }
        assert_eq!(window.size(Normal, TICK), expected);
    }

    #[test]
    fn slow_work_is_kept_short() {
        check(&[], &[], LEAST);
        check(&[1; 30], &[process(50, 50, 0)], LEAST + 2);
        check(&[0, 0, 0, 50], &[process(50, 50, 0)], LEAST + 30);
    }

    #[test]
    fn an_idle_worker_finds_an_id() {
        check(&[0], &[process(50, 20, 0), process(8, 8, 0)], LEAST + 30);
    }

    #[test]
    fn fast_work_is_kept_for_two_ticks() {
        check(&[1000; 30], &[], LEAST + 2000);
        check(&[1_000_000; 30], &[], MOST);
    }

    #[test]
    fn a_window_that_is_emptied_at_each_look_grows_by_a_quarter() {
        let mut window = Window::default();
        let mut sizes = Vec::new();
        for _ in 0..40 {
            let size = window.size(Normal, TICK);
            (0..size).for_each(|_| window.left(Normal));
            window.look(TICK, &[]);
            sizes.push(size);
        }
        assert!(sizes.windows(2).all(|pair| MOST.min(pair[0] * 5 / 4) <= pair[1]), "{sizes:?}");
    }

    #[test]
    fn workers_of_a_silent_process_are_not_idle_but_gone() {
        check(&[0], &[process(50, 0, 0), process(8, 6, 60_000)], LEAST + 2);
    }

    #[test]
    fn each_class_has_its_own_rate() {
        let mut window = Window::default();
        (0..100).for_each(|_| window.left(Normal));
        window.look(TICK, &[]);
        assert_eq!((window.size(Normal, TICK), window.size(Batch, TICK)), (LEAST + 60, LEAST));
    }
}
