//! Who leads, and from when a leader may record leases as expired. Pure.
//!
//! While the store could not be reached, or nobody led, holders may have been kept from renewing: whoever leads gives them
//! one whole lease timeout before it takes anything from them.

use std::time::Duration;

use tokio::time::Instant;

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
    },
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
    pub(crate) fn hear(&mut self, answer: Leadership, now: Instant) -> News {
        match (*self, answer) {
            (_, Leadership::Follower) => {
                *self = Standing::Follower;
                News::Follows
            }
            (Standing::Leader { since_connect: known, .. }, Leadership::Leader { since_connect })
                if known == since_connect =>
            {
                News::Leads
            }
            (_, Leadership::Leader { since_connect }) => {
                *self = Standing::Leader { since_connect, since: now };
                News::TakesOver
            }
        }
    }

    /// Whether leases that have expired may be recorded so.
    pub(crate) fn lease_sweep(self, now: Instant, lease_timeout: Duration) -> LeaseSweep {
        match self {
            Standing::Leader { since_connect, since } if lease_timeout <= now - since.max(since_connect) => {
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

    fn leader(since_connect: Instant) -> Leadership {
        Leadership::Leader { since_connect }
    }

    #[test]
    fn a_leader_that_was_cut_off_takes_over_anew() {
        let start = Instant::now();
        let later = start + LEASE;
        let mut standing = Standing::default();
        let answers = [Leadership::Follower, leader(start), leader(start), leader(later), Leadership::Follower];
        let news = answers.map(|answer| standing.hear(answer, later));
        assert_eq!(news, [News::Follows, News::TakesOver, News::Leads, News::TakesOver, News::Follows]);
    }

    #[test]
    fn leases_are_spared_for_one_timeout_after_the_takeover() {
        let start = Instant::now();
        let mut standing = Standing::default();
        assert_eq!(standing.lease_sweep(start, LEASE), LeaseSweep::Spare);
        standing.hear(leader(start), start + LEASE);
        for (now, expected) in [(LEASE, LeaseSweep::Spare), (LEASE * 2, LeaseSweep::Expire)] {
            assert_eq!(standing.lease_sweep(start + now, LEASE), expected, "{now:?}");
        }
        standing.hear(leader(start), start + LEASE * 2);
        assert_eq!(standing.lease_sweep(start + LEASE * 2, LEASE), LeaseSweep::Expire);
        standing.hear(leader(start + LEASE * 2), start + LEASE * 2);
        assert_eq!(standing.lease_sweep(start + LEASE * 2, LEASE), LeaseSweep::Spare);
    }
}
