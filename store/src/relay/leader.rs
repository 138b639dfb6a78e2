//! Who leads, and from when a leader may record leases as expired. Pure.
//!
//! While the store could not be reached, or nobody led, holders may have been kept from renewing: whoever leads gives them
//! one whole lease timeout before it takes anything from them. So it does where it has not looked for long by either clock:
//! this process or its machine stood still, or the clock that leases expire by has jumped.

use std::time::Duration;

use tokio::time::Instant;
use types::Timestamp;

use crate::controls::Leadership;
use crate::store::LeaseSweep;

/// What this process is in the installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Follower,
    Leader {
        /// The connection that holds the lock. Another one means that somebody else may have led in between.
        since_connect: Instant,
        since: Instant,
        looked_at: Moment,
    },
}

/// A moment by the clock that only goes forward, and by the one that leases expire by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) time: Timestamp,
}

impl Moment {
    /// How long ago another was, by the clock that says more.
    fn since(self, earlier: Moment) -> Duration {
        (self.instant - earlier.instant).max(self.time.since(earlier.time))
    }
}

/// What an answer to the question who leads means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Another leads.
    Follows,
    /// It leads as before.
    Leads,
    /// It leads from now on, and knows nothing yet.
    TakesOver,
}

impl Standing {
    /// Longer than `patience` between two looks is too long to know that holders could renew.
    pub(crate) fn hear(&mut self, answer: Leadership, now: Moment, patience: Duration) -> News {
        match (&mut *self, answer) {
            (_, Leadership::Follower) => {
                *self = Standing::Follower;
                News::Follows
            }
            (Standing::Leader { since_connect: known, since, looked_at }, Leadership::Leader { since_connect })
                if *known == since_connect =>
            {
                if patience < now.since(*looked_at) {
                    *since = now.instant;
                }
                *looked_at = now;
                News::Leads
            }
            (_, Leadership::Leader { since_connect }) => {
                *self = Standing::Leader { since_connect, since: now.instant, looked_at: now };
                News::TakesOver
            }
        }
    }

    /// Whether leases that have expired may be recorded so.
    pub(crate) fn lease_sweep(self, now: Instant, lease_timeout: Duration) -> LeaseSweep {
        match self {
            Standing::Leader { since_connect, since, .. } if lease_timeout <= now - since.max(since_connect) => {
                LeaseSweep::Expire
            }
            Standing::Leader { .. } | Standing::Follower => LeaseSweep::Spare,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    const PATIENCE: Duration = Duration::from_secs(20);

    fn leader(since_connect: Instant) -> Leadership {
        Leadership::Leader { since_connect }
    }

    fn at(instant: Instant) -> Moment {
        Moment { instant, time: Timestamp::from_millis(0) }
    }

    #[test]
    fn a_leader_that_was_cut_off_takes_over_anew() {
        let start = Instant::now();
        let later = start + LEASE;
        let mut standing = Standing::default();
        let answers = [Leadership::Follower, leader(start), leader(start), leader(later), Leadership::Follower];
        let news = answers.map(|answer| standing.hear(answer, at(later), PATIENCE));
        assert_eq!(news, [News::Follows, News::TakesOver, News::Leads, News::TakesOver, News::Follows]);
    }

    #[test]
    fn leases_are_spared_for_one_timeout_after_the_takeover() {
        let start = Instant::now();
        let mut standing = Standing::default();
        assert_eq!(standing.lease_sweep(start, LEASE), LeaseSweep::Spare);
        standing.hear(leader(start), at(start + LEASE), PATIENCE);
        for (now, expected) in [(LEASE, LeaseSweep::Spare), (LEASE * 2, LeaseSweep::Expire)] {
            assert_eq!(standing.lease_sweep(start + now, LEASE), expected, "{now:?}");
        }
        standing.hear(leader(start + LEASE * 2), at(start + LEASE * 2), PATIENCE);
        assert_eq!(standing.lease_sweep(start + LEASE * 2, LEASE), LeaseSweep::Spare);
    }

    #[test]
    fn leases_are_spared_anew_after_a_jump_of_either_clock() {
        let second = Duration::from_secs(1);
        let cases = [
            (second, second, LeaseSweep::Expire),
            (PATIENCE, PATIENCE, LeaseSweep::Expire),
            (second, LEASE * 100, LeaseSweep::Spare),
            (LEASE * 100, second, LeaseSweep::Spare),
            (PATIENCE + second, PATIENCE + second, LeaseSweep::Spare),
        ];
        for (instant, time, expected) in cases {
            let start = Instant::now();
            let mut standing = Standing::Leader { since_connect: start, since: start, looked_at: at(start + LEASE) };
            let now = Moment { instant: start + LEASE + instant, time: Timestamp::from_millis(0).after(time) };
            assert_eq!(standing.hear(leader(start), now, PATIENCE), News::Leads);
            assert_eq!(standing.lease_sweep(now.instant, LEASE), expected, "{instant:?} {time:?}");
            let (later, again) = (now.instant + PATIENCE, now.time.after(PATIENCE));
            standing.hear(leader(start), Moment { instant: later, time: again }, PATIENCE);
            assert_eq!(standing.lease_sweep(later, LEASE), expected, "a look in time ends no grace");
            assert_eq!(standing.lease_sweep(now.instant + LEASE, LEASE), LeaseSweep::Expire, "nor does it last");
        }
    }
}
