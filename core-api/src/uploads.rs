//! How much memory the bodies on their way may take: a share for each team, so that none waits for another's, and a limit
//! for all of them together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use types::TeamName;

/// Shares that all teams have together.
const SHARES: usize = 4;

/// Bytes that bodies take, by team.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uploads {
    taken: Arc<Mutex<HashMap<TeamName, usize>>>,
}

/// Whose bodies take too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The team's.
    Team,
    /// Those of all teams.
    Server,
}

impl Uploads {
    /// Room for a body of up to `bytes`, within `share` of the team and four shares of all.
    pub(crate) fn begin(&self, team: &TeamName, bytes: usize, share: usize) -> Result<Upload, Full> {
        let mut taken = self.taken.lock().expect("uploads lock");
        let of_team = taken.get(team).copied().unwrap_or_default();
        if !fits(of_team, bytes, share) {
            return Err(Full::Team);
        }
        if !fits(taken.values().sum(), bytes, share.saturating_mul(SHARES)) {
            return Err(Full::Server);
        }
        taken.insert(team.clone(), of_team + bytes);
        Ok(Upload { uploads: self.clone(), team: team.clone(), bytes })
    }
}

/// A body that is larger than the limit goes alone.
fn fits(taken: usize, bytes: usize, limit: usize) -> bool {
    taken == 0 || taken.saturating_add(bytes) <= limit
}

/// Room that is taken as long as this lives.
#[derive(Debug)]
pub(crate) struct Upload {
    uploads: Uploads,
    team: TeamName,
    bytes: usize,
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut taken = self.uploads.taken.lock().expect("uploads lock");
        if let Some(of_team) = taken.get_mut(&self.team) {
            *of_team -= self.bytes;
            if *of_team == 0 {
                taken.remove(&self.team);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_team_has_its_share_and_no_more() {
        let (uploads, sales, legal) = (Uploads::default(), "sales".parse().unwrap(), "legal".parse().unwrap());
        let first = uploads.begin(&sales, 60, 100).unwrap();
        assert_eq!(uploads.begin(&sales, 60, 100).unwrap_err(), Full::Team);
        assert!(uploads.begin(&sales, 40, 100).is_ok());
        assert!(uploads.begin(&legal, 60, 100).is_ok());
        drop(first);
        assert!(uploads.begin(&sales, 100, 100).is_ok());
        assert!(uploads.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn all_teams_together_have_a_limit() {
        let uploads = Uploads::default();
        let team = |n: usize| format!("team-{n}").parse().unwrap();
        let mut begun: Vec<Upload> = (0..SHARES).map(|n| uploads.begin(&team(n), 100, 100).unwrap()).collect();
        assert_eq!(uploads.begin(&team(SHARES), 1, 100).unwrap_err(), Full::Server);
        begun.pop();
        assert!(uploads.begin(&team(SHARES), 100, 100).is_ok());
        drop(begun);
        assert!(uploads.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn what_is_larger_than_a_share_goes_alone() {
        let (uploads, sales) = (Uploads::default(), "sales".parse().unwrap());
        let large = uploads.begin(&sales, 200, 100).unwrap();
        assert_eq!(uploads.begin(&sales, 1, 100).unwrap_err(), Full::Team);
        drop(large);
        assert!(uploads.begin(&sales, 1, 100).is_ok());
    }
}
