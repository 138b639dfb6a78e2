//! How much memory the bodies on their way may take: a share for each team, so that none waits for another's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use types::TeamName;

/// Bytes that bodies may take, by team.
#[derive(Clone, Default)]
pub(crate) struct Uploads {
    taken: Arc<Mutex<HashMap<TeamName, usize>>>,
}

impl Uploads {
    /// Room for a body of up to `bytes`, within `share` of the team; `None` while there is none.
    pub(crate) fn begin(&self, team: &TeamName, bytes: usize, share: usize) -> Option<Upload> {
        let mut taken = self.taken.lock().expect("uploads lock");
        let of_team = taken.entry(team.clone()).or_default();
        let sum = of_team.saturating_add(bytes);
        // A body that is larger than the share goes alone.
        if share < sum && 0 < *of_team {
            return None;
        }
        *of_team = sum;
        Some(Upload { uploads: self.clone(), team: team.clone(), bytes })
    }
}

/// Room that is taken as long as this lives.
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
        assert!(uploads.begin(&sales, 60, 100).is_none());
        assert!(uploads.begin(&sales, 40, 100).is_some());
        assert!(uploads.begin(&legal, 60, 100).is_some());
        drop(first);
        assert!(uploads.begin(&sales, 100, 100).is_some());
        assert!(uploads.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn what_is_larger_than_a_share_goes_alone() {
        let (uploads, sales) = (Uploads::default(), "sales".parse().unwrap());
        let large = uploads.begin(&sales, 200, 100).unwrap();
        assert!(uploads.begin(&sales, 1, 100).is_none());
        drop(large);
        assert!(uploads.begin(&sales, 1, 100).is_some());
    }
}
