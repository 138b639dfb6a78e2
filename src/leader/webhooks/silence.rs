//! Receivers that do not answer at all are left alone for a while, so that waiting for one does not hold up the others. Pure.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long a receiver that was silent is left alone.
const ALONE: Duration = Duration::from_secs(60);

/// Who was silent, by origin, and when.
#[derive(Debug, Default)]
pub(super) struct Silence(HashMap<String, Instant>);

impl Silence {
    pub(super) fn note(&mut self, origin: String, now: Instant) {
        self.0.retain(|_, since| now - *since < ALONE);
        self.0.insert(origin, now);
    }

    pub(super) fn holds(&self, origin: &str, now: Instant) -> bool {
        self.0.get(origin).is_some_and(|since| now - *since < ALONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_silent_is_left_alone_for_a_while_and_nobody_else() {
        let start = Instant::now();
        let mut silence = Silence::default();
        silence.note("https://away.example".to_owned(), start);
        for (origin, later, expected) in [
            ("https://away.example", Duration::ZERO, true),
            ("https://away.example", ALONE, false),
            ("https://here.example", Duration::ZERO, false),
        ] {
            assert_eq!(silence.holds(origin, start + later), expected, "{origin} {later:?}");
        }
    }
}
