//! One line in fair order between teams. Pure.
//!
//! Start-time fair queueing (P. Goyal, H. Vin, H. Cheng, 1996): a task costs its team `cost / weight` of virtual time, and
//! the team that has had least is next. One that comes back begins at the present, so that staying away saves up
//! nothing; one that left in debt keeps its debt until the others have caught up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use types::{TaskId, TeamName, Timestamp};

/// Virtual time per unit of cost at weight 1; weights up to this lose nothing to rounding.
const SCALE: u128 = 1000;

/// Where a task stands among its team's: the one that has waited longest comes first.
pub(crate) type Place = (Timestamp, TaskId);

/// The share of each team; one that is not named has weight 1.
pub(crate) type Weights = HashMap<TeamName, u32>;

/// Waiting tasks of all teams, served in fair order.
#[derive(Debug, Default)]
pub(crate) struct FairLine {
    teams: HashMap<TeamName, Team>,
    /// Teams that wait, the next first.
    order: BTreeSet<(u128, TeamName)>,
    /// Teams that do not wait and had more than the present.
    debtors: BTreeSet<(u128, TeamName)>,
    /// The virtual time at which the last task was served.
    now: u128,
}

#[derive(Debug)]
struct Team {
    /// The virtual time it has had.
    had: u128,
    /// Its tasks and their costs.
    tasks: BTreeMap<Place, u32>,
}

impl FairLine {
    pub(crate) fn insert(&mut self, team: &TeamName, place: Place, cost: u32) {
        let now = self.now;
        let entry = self.teams.entry(team.clone()).or_insert(Team { had: now, tasks: BTreeMap::new() });
        if entry.tasks.is_empty() {
            self.debtors.remove(&(entry.had, team.clone()));
            entry.had = entry.had.max(now);
            self.order.insert((entry.had, team.clone()));
        }
        entry.tasks.insert(place, cost);
    }

    pub(crate) fn remove(&mut self, team: &TeamName, place: Place) {
        let Some(entry) = self.teams.get_mut(team) else { return };
        if entry.tasks.remove(&place).is_some() && entry.tasks.is_empty() {
            let had = entry.had;
            self.order.remove(&(had, team.clone()));
            self.debtors.insert((had, team.clone()));
            self.forget_debts();
        }
    }

    /// Takes the next task, and charges its team.
    pub(crate) fn pop(&mut self, weights: &Weights) -> Option<TaskId> {
        let (had, team) = self.order.pop_first()?;
        self.now = self.now.max(had);
        let entry = self.teams.get_mut(&team)?;
        let ((_, task), cost) = entry.tasks.pop_first()?;
        entry.had = had + charge(weights, &team, cost);
        let rest = if entry.tasks.is_empty() { &mut self.debtors } else { &mut self.order };
        rest.insert((entry.had, team));
        self.forget_debts();
        Some(task)
    }

    /// Gives a team back what a task cost that was taken and not served.
    pub(crate) fn refund(&mut self, team: &TeamName, cost: u32, weights: &Weights) {
        let Some(entry) = self.teams.get_mut(team) else { return };
        let had = entry.had.saturating_sub(charge(weights, team, cost)).max(self.now);
        let set = if entry.tasks.is_empty() { &mut self.debtors } else { &mut self.order };
        set.remove(&(entry.had, team.clone()));
        set.insert((had, team.clone()));
        entry.had = had;
        self.forget_debts();
    }

    /// Forgets the teams that do not wait and that the others have caught up with: all of them once nobody waits.
    fn forget_debts(&mut self) {
        if self.order.is_empty() {
            self.now = self.debtors.last().map_or(self.now, |(had, _)| self.now.max(*had));
        }
        while self.debtors.first().is_some_and(|(had, _)| *had <= self.now) {
            if let Some((_, team)) = self.debtors.pop_first() {
                self.teams.remove(&team);
            }
        }
    }
}

fn charge(weights: &Weights, team: &TeamName, cost: u32) -> u128 {
    let weight = weights.get(team).copied().unwrap_or(1).max(1);
    u128::from(cost.max(1)) * SCALE / u128::from(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(name: &str) -> TeamName {
        name.parse().unwrap()
    }

    /// A line with `count` tasks of `cost` for each team.
    fn line(teams: &[(&str, usize, u32)]) -> (FairLine, HashMap<TaskId, &'static str>) {
        let (mut line, mut owners) = (FairLine::default(), HashMap::new());
        for &(name, count, cost) in teams {
            add(&mut line, &mut owners, name, count, cost);
        }
        (line, owners)
    }

    fn add(line: &mut FairLine, owners: &mut HashMap<TaskId, &'static str>, name: &str, count: usize, cost: u32) {
        let known = ["a", "b", "c"].into_iter().find(|known| *known == name).unwrap();
        for _ in 0..count {
            let task = TaskId::new();
            owners.insert(task, known);
            line.insert(&team(name), (Timestamp::from_millis(0), task), cost);
        }
    }

    fn serve(line: &mut FairLine, owners: &HashMap<TaskId, &str>, weights: &Weights, count: usize) -> String {
        (0..count).filter_map(|_| line.pop(weights)).map(|task| owners[&task]).collect()
    }

    fn shares(served: &str) -> [usize; 3] {
        ['a', 'b', 'c'].map(|team| served.chars().filter(|one| *one == team).count())
    }

    #[test]
    fn a_flood_of_one_team_does_not_hold_up_another() {
        let (mut line, owners) = line(&[("a", 100, 10), ("b", 2, 10)]);
        assert_eq!(serve(&mut line, &owners, &Weights::new(), 6), "abab".to_owned() + "aa");
    }

    #[test]
    fn shares_are_by_cost_and_weight_and_not_by_count() {
        let (mut by_cost, owners) = line(&[("a", 300, 30), ("b", 300, 10)]);
        assert_eq!(shares(&serve(&mut by_cost, &owners, &Weights::new(), 200)), [50, 150, 0]);
        let (mut by_weight, owners) = line(&[("a", 300, 10), ("b", 300, 10), ("c", 300, 10)]);
        let weights = Weights::from([(team("a"), 3), (team("b"), 2)]);
        assert_eq!(shares(&serve(&mut by_weight, &owners, &weights, 300)), [150, 100, 50]);
    }

    #[test]
    fn who_comes_back_has_saved_up_nothing() {
        let (mut line, mut owners) = line(&[("a", 200, 10), ("b", 1, 10)]);
        serve(&mut line, &owners, &Weights::new(), 100);
        add(&mut line, &mut owners, "b", 50, 10);
        assert_eq!(shares(&serve(&mut line, &owners, &Weights::new(), 20)), [10, 10, 0]);
    }

    #[test]
    fn who_leaves_in_debt_and_comes_back_still_owes() {
        let (mut line, mut owners) = line(&[("a", 100, 10), ("b", 1, 200)]);
        assert_eq!(serve(&mut line, &owners, &Weights::new(), 2), "ab");
        add(&mut line, &mut owners, "b", 1, 10);
        let served = serve(&mut line, &owners, &Weights::new(), 30);
        assert_eq!(served.find('b'), Some(20), "{served}");
    }

    #[test]
    fn what_was_taken_and_not_served_costs_nothing() {
        let (mut line, mut owners) = line(&[("a", 10, 10), ("b", 10, 10)]);
        assert_eq!(serve(&mut line, &owners, &Weights::new(), 1), "a");
        line.refund(&team("a"), 10, &Weights::new());
        add(&mut line, &mut owners, "a", 1, 10);
        assert_eq!(shares(&serve(&mut line, &owners, &Weights::new(), 10)), [5, 5, 0]);
    }

    #[test]
    fn nothing_is_kept_of_teams_once_nobody_waits() {
        let (mut line, owners) = line(&[("a", 3, 10), ("b", 5, 1000)]);
        serve(&mut line, &owners, &Weights::new(), 8);
        assert!(line.teams.is_empty() && line.order.is_empty() && line.debtors.is_empty(), "{line:?}");
    }

    #[test]
    fn a_team_is_served_in_the_order_of_its_waiting() {
        let mut line = FairLine::default();
        let tasks = [TaskId::new(), TaskId::new(), TaskId::new()];
        for (task, since) in tasks.into_iter().zip([30, 10, 20]) {
            line.insert(&team("a"), (Timestamp::from_millis(since), task), 1);
        }
        line.remove(&team("a"), (Timestamp::from_millis(10), tasks[1]));
        let served = [line.pop(&Weights::new()), line.pop(&Weights::new()), line.pop(&Weights::new())];
        assert_eq!(served, [Some(tasks[2]), Some(tasks[0]), None]);
    }
}
