//! What keeps the relay from its work: said once, and tried again ever more seldom. Pure but for the log.

use std::error::Error;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

/// The longest time between two tries.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// The fault that lasts, if one does.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    lasting: Option<Lasting>,
}

#[derive(Debug)]
struct Lasting {
    said: String,
    rest: Duration,
    until: Instant,
}

impl Trouble {
    /// Something failed: nothing is tried before `tick` has passed, and twice as long after each further failure.
    pub(crate) fn begins(&mut self, error: &dyn Error, tick: Duration, now: Instant) {
        let said = with_causes(error);
        let rest = self.lasting.as_ref().map_or(tick, |lasting| lasting.rest * 2).min(LONGEST_REST.max(tick));
        if self.lasting.as_ref().is_none_or(|lasting| lasting.said != said) {
            warn!(error = %said, "tasks wait in the store; the relay goes on trying");
        }
        self.lasting = Some(Lasting { said, rest, until: now + rest });
    }

    /// Everything went well.
    pub(crate) fn ends(&mut self) {
        if self.lasting.take().is_some() {
            info!("the relay works again");
        }
    }

    /// Whether it is too early to try again.
    pub(crate) fn rests(&self, now: Instant) -> bool {
        self.lasting.as_ref().is_some_and(|lasting| now < lasting.until)
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreError;

    const TICK: Duration = Duration::from_millis(500);

    #[test]
    fn a_fault_that_lasts_is_tried_ever_more_seldom() {
        let (mut trouble, mut now) = (Trouble::default(), Instant::now());
        let mut rests = Vec::new();
        for _ in 0..6 {
            trouble.begins(&StoreError::Closed, TICK, now);
            let began = now;
            while trouble.rests(now) {
                now += TICK;
            }
            rests.push((now - began).as_millis());
        }
        assert_eq!(rests, [500, 1000, 2000, 4000, 5000, 5000]);
        trouble.ends();
        assert!(!trouble.rests(now));
        trouble.begins(&StoreError::Closed, TICK, now);
        assert!(!trouble.rests(now + TICK), "the next fault begins anew");
    }
}
