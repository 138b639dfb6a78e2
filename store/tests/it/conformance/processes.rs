//! Who lives, and who leads.

use std::time::Duration;

use store::{Leadership, Process, ProcessBeat};
use types::{ProcessId, ProcessRole};

use crate::world::{Limits, SECOND, World};

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn beat(process: &str, busy: u32) -> ProcessBeat {
    ProcessBeat { process: process.parse().unwrap(), role: ProcessRole::Worker, slots: 8, busy }
}

pub async fn a_process_is_known_by_its_last_beat(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let started_at = world.now();
    world.store.beat(&beat("p1", 3)).await.unwrap();
    world.clock.advance(SECOND);
    world.store.beat(&beat("p1", 5)).await.unwrap();
    let process = Process { beat: beat("p1", 5), started_at, seen_at: world.now() };
    assert_eq!(world.store.processes().await.unwrap(), [process]);
}

pub async fn a_silent_process_is_forgotten(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.store.beat(&beat("p1", 0)).await.unwrap();
    world.clock.advance(TEN_MINUTES);
    world.store.beat(&beat("p2", 0)).await.unwrap();
    assert_eq!(world.store.processes().await.unwrap().len(), 2, "silent for ten minutes and no longer");
    world.clock.advance(SECOND);
    world.store.beat(&beat("p2", 0)).await.unwrap();
    let left: Vec<ProcessId> = world.store.processes().await.unwrap().into_iter().map(|p| p.beat.process).collect();
    assert_eq!(left, ["p2".parse().unwrap()]);
}

pub async fn a_leader_stays_leader_over_the_same_connection(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let leads = world.store.lead().await.unwrap();
    assert!(matches!(leads, Leadership::Leader { .. }));
    assert_eq!(world.store.lead().await.unwrap(), leads);
}
