//! How fast tasks end, as far as this interface has seen: so that who is refused hears when to come back.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use store::Figures;
use types::TaskState;

/// How far back looks count.
const MEMORY: Duration = Duration::from_secs(60);
/// Looks that are closer together tell nothing new.
const BETWEEN: Duration = Duration::from_secs(1);
/// The answer while nothing is known.
const UNKNOWN_SECONDS: u32 = 5;
const MAX_SECONDS: u32 = 60;
/// Part of the waiting tasks that has to end before another try is worth it.
const PART: f64 = 0.01;

/// What was seen of the store's figures.
#[derive(Default)]
pub(crate) struct DrainRate {
    looks: Mutex<VecDeque<Look>>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    ended: u64,
    waiting: u64,
}

impl DrainRate {
    /// Whether a look at the figures would tell something new.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        let looks = self.looks.lock().expect("drain lock");
        looks.back().is_none_or(|last| BETWEEN <= now.saturating_duration_since(last.at))
    }

    pub(crate) fn note(&self, figures: &Figures, now: Instant) {
        let ended = TaskState::ALL.into_iter().filter(|state| state.is_terminal()).map(|state| figures.in_state(state));
        let look = Look { at: now, ended: ended.sum(), waiting: figures.waiting() };
        let mut looks = self.looks.lock().expect("drain lock");
        looks.retain(|look| now.saturating_duration_since(look.at) <= MEMORY);
        looks.push_back(look);
    }

    /// Seconds after which a refused task may find room: 1 to 60.
    pub(crate) fn retry_after(&self) -> u32 {
        let looks = self.looks.lock().expect("drain lock");
        match (looks.front(), looks.back()) {
            (Some(first), Some(last)) if first.at < last.at => seconds(first, last),
            _ => UNKNOWN_SECONDS,
        }
    }
}

/// Until a part of what waits has ended, at the rate between two looks.
fn seconds(first: &Look, last: &Look) -> u32 {
    let ended = last.ended.saturating_sub(first.ended) as f64;
    let per_second = ended / last.at.duration_since(first.at).as_secs_f64();
    let part = (last.waiting as f64 * PART).max(1.0);
    // Infinite when nothing ends; a float is held at the bounds of the integer it becomes.
    ((part / per_second).ceil() as u32).clamp(1, MAX_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ended: u64, seconds_between: u64, waiting: u64, expected: u32) {
        let start = Instant::now();
        let first = Look { at: start, ended: 1000, waiting };
        let last = Look { at: start + Duration::from_secs(seconds_between), ended: 1000 + ended, waiting };
        assert_eq!(seconds(&first, &last), expected);
    }

    #[test]
    fn who_is_refused_comes_back_when_a_part_of_what_waits_has_ended() {
        // A hundred of 10,000 at 20 a second.
        check(200, 10, 10_000, 5);
        check(10, 10, 1_000, 10);
    }

    #[test]
    fn the_pause_is_between_a_second_and_a_minute() {
        check(100_000, 1, 10_000, 1);
        check(1, 60, 100_000, 60);
        check(0, 10, 10_000, 60);
        check(0, 10, 0, 60);
        check(100, 1, 0, 1);
    }

    #[test]
    fn looks_are_a_second_apart_and_of_the_last_minute() {
        let (rate, start) = (DrainRate::default(), Instant::now());
        assert!(rate.is_stale(start));
        assert_eq!(rate.retry_after(), UNKNOWN_SECONDS);
        rate.note(&Figures::default(), start);
        assert!(!rate.is_stale(start + BETWEEN / 2));
        assert!(rate.is_stale(start + BETWEEN));
        assert_eq!(rate.retry_after(), UNKNOWN_SECONDS);
        rate.note(&Figures::default(), start + MEMORY * 2);
        assert_eq!(rate.looks.lock().expect("a lock").len(), 1);
    }
}
