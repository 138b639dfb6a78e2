//! What a seed does: the installation, its tasks, and everything that goes wrong. Pure.

use std::time::Duration;

use serde::Serialize;
use store::fault::POINTS;
use testbed::Shutdown;

use crate::chance::Chance;

/// How long tasks come in and things break.
pub(crate) const STORM: Duration = Duration::from_millis(3500);
/// Executions that the agent's file allows after the first, where a task says nothing else.
pub(crate) const MAX_RETRIES: u32 = 3;
/// Tasks of one key that may run side by side.
pub(crate) const KEY_LIMIT: u32 = 1;
const KEYS: u64 = 3;

/// Everything that a seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) layout: Layout,
    pub(crate) lease: Duration,
    pub(crate) tasks: Vec<PlannedTask>,
    pub(crate) faults: Vec<(Duration, Fault)>,
    pub(crate) ambushes: Vec<Ambush>,
}

/// What is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    /// One process with SQLite on a small disk.
    Embedded,
    /// One api process and some workers on PostgreSQL and Redis.
    Split { workers: usize, appendonly: bool },
}

/// A task that a client submits.
#[derive(Clone, Debug)]
pub(crate) struct PlannedTask {
    pub(crate) at: Duration,
    pub(crate) script: Script,
    pub(crate) class: &'static str,
    pub(crate) delay: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) key: Option<u64>,
    /// Someone cancels it so long after it was accepted.
    pub(crate) cancelled_after: Option<Duration>,
    pub(crate) client: Client,
}

/// What a client does when it gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Asks again, with the same key, until it has one.
    Insists,
    /// Gives up, and nobody knows whether the task was accepted.
    GivesUp,
}

/// What the model does with a task.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Script {
    /// How long each answer takes.
    pub(crate) thinks: Duration,
    /// Calls of the tool before the answer.
    pub(crate) calls: u32,
    /// So often it is too busy at first (503).
    pub(crate) refusals: u32,
    /// So often it fails after that (500).
    pub(crate) failures: u32,
}

/// A process of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Party {
    /// Takes requests; the whole of Talon where it is embedded.
    Api,
    /// Works on tasks.
    Worker(usize),
}

/// A server that processes of ours are connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Server {
    Postgres,
    Redis,
}

/// Something that goes wrong at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Kill(Party),
    Terminate(Party),
    Stop(Party, Duration),
    RedisKilled { away: Duration },
    RedisFlushed,
    RedisStopped(Duration),
    PostgresEnds(Shutdown),
    Drop(Party, Server),
    HalfOpen(Party, Server, Duration),
    Refuse(Party, Server, Duration),
    DiskFull(Duration),
}

/// Something that goes wrong when a process passes a fault point.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ambush {
    pub(crate) point: &'static str,
    /// At which passing, from 1, of whatever process.
    pub(crate) passing: u32,
    pub(crate) blow: Blow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Blow {
    Kill,
    Stop(Duration),
}

impl Plan {
    pub(crate) fn of(seed: u64, layout: Option<&str>) -> Self {
        let mut chance = Chance::new(seed);
        let embedded = chance.percent(20);
        let embedded = layout.map_or(embedded, |layout| layout == "embedded");
        let layout = match embedded {
            true => Layout::Embedded,
            false => Layout::Split { workers: chance.within(2..4) as usize, appendonly: chance.percent(50) },
        };
        let lease = Duration::from_secs(chance.pick(&[1, 1, 2]));
        let tasks = (0..chance.within(60..140)).map(|_| task(&mut chance)).collect();
        let mut faults: Vec<(Duration, Fault)> =
            (0..chance.within(4..9)).map(|_| (chance.millis(300..3300), fault(&mut chance, layout, lease))).collect();
        faults.sort_by_key(|(at, _)| *at);
        let ambushes = (0..chance.within(2..6)).map(|_| ambush(&mut chance, lease)).collect();
        Plan { seed, layout, lease, tasks, faults, ambushes }
    }
}

impl Layout {
    pub(crate) fn parties(self) -> Vec<Party> {
        let workers = match self {
            Layout::Embedded => 0,
            Layout::Split { workers, .. } => workers,
        };
        std::iter::once(Party::Api).chain((0..workers).map(Party::Worker)).collect()
    }
}

fn task(chance: &mut Chance) -> PlannedTask {
    let script = Script {
        thinks: if chance.percent(8) { chance.millis(1200..2500) } else { chance.millis(1..60) },
        calls: chance.pick(&[0, 0, 0, 1, 1, 2]),
        refusals: u32::from(chance.percent(4)),
        failures: if chance.percent(10) { chance.within(1..6) as u32 } else { 0 },
    };
    let deadline = chance.percent(6).then(|| Duration::from_secs(chance.within(1..4)));
    PlannedTask {
        at: chance.millis(0..STORM.as_millis() as u64),
        script,
        class: chance.pick(&["interactive", "normal", "normal", "batch"]),
        // A delay beyond the deadline is refused.
        delay: (deadline.is_none() && chance.percent(15)).then(|| chance.millis(200..1500)),
        deadline,
        key: chance.percent(20).then(|| chance.within(0..KEYS)),
        cancelled_after: chance.percent(8).then(|| chance.millis(1..800)),
        client: if chance.percent(10) { Client::GivesUp } else { Client::Insists },
    }
}

fn fault(chance: &mut Chance, layout: Layout, lease: Duration) -> Fault {
    let party = chance.pick(&layout.parties());
    let millis = lease.as_millis() as u64;
    // Some longer than the lease, some shorter.
    let pause = chance.millis(millis / 4..millis * 2);
    if layout == Layout::Embedded {
        return match chance.within(0..10) {
            0..5 => Fault::Kill(party),
            5 => Fault::Terminate(party),
            6..8 => Fault::Stop(party, pause),
            _ => Fault::DiskFull(pause),
        };
    }
    let server = chance.pick(&[Server::Postgres, Server::Redis]);
    match chance.within(0..20) {
        0..5 => Fault::Kill(party),
        5 => Fault::Terminate(party),
        6..9 => Fault::Stop(party, pause),
        9 | 10 => Fault::RedisKilled { away: chance.millis(1..800) },
        11 | 12 => Fault::RedisFlushed,
        13 => Fault::RedisStopped(pause),
        14 => Fault::PostgresEnds(Shutdown::Fast),
        15 => Fault::PostgresEnds(Shutdown::Immediate),
        16 => Fault::PostgresEnds(Shutdown::Kill),
        17 => Fault::Drop(party, server),
        18 => Fault::HalfOpen(party, server, pause),
        _ => Fault::Refuse(party, server, pause),
    }
}

fn ambush(chance: &mut Chance, lease: Duration) -> Ambush {
    let stop = Blow::Stop(lease + chance.millis(100..1000));
    let blow = if chance.percent(70) { Blow::Kill } else { stop };
    // Some points are passed ten times in a storm, some a thousand times.
    let most = chance.pick(&[10, 30, 100]);
    Ambush { point: chance.pick(POINTS), passing: chance.within(1..most) as u32, blow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        for seed in 0..50 {
            assert_eq!(format!("{:?}", Plan::of(seed, None)), format!("{:?}", Plan::of(seed, None)));
        }
        assert_ne!(format!("{:?}", Plan::of(1, None)), format!("{:?}", Plan::of(2, None)));
    }

    #[test]
    fn a_hundred_seeds_lay_an_ambush_at_every_point() {
        let plans: Vec<Plan> = (0..100).map(|seed| Plan::of(seed, None)).collect();
        let laid = |point: &&str| plans.iter().flat_map(|plan| &plan.ambushes).any(|ambush| ambush.point == *point);
        assert_eq!(POINTS.iter().filter(|point| !laid(point)).count(), 0);
    }
}
