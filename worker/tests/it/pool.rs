//! The pool as it grows and shrinks.

use std::sync::Arc;
use std::time::Duration;

use store::NewTask;
use types::{StopReason, TaskClass, TaskState};

use crate::model::{Scripted, Turn};
use crate::world::{Setup, assert_ended, talker, task, until};

#[tokio::test]
async fn warm_workers_stand_ready_before_any_task() {
    let model = Arc::new(Scripted::new([]));
    let mut setup = Setup::new(talker(), &model);
    (setup.limits.warm, setup.limits.max) = (3, 5);
    let world = setup.start().await;
    until("three idle workers", || world.pool_workers() == [3.0, 0.0, 0.0]).await;
    assert_eq!(world.metric("openclaw_pool_target_workers"), 3.0);
}

#[tokio::test]
async fn a_deep_queue_grows_the_pool_to_its_maximum_and_idleness_brings_it_back() {
    let model = Arc::new(Scripted::always(Turn::Gated("done")));
    let mut setup = Setup::new(talker(), &model);
    (setup.limits.warm, setup.limits.max) = (2, 4);
    setup.limits.scale_up_depth = 3;
    setup.limits.idle_timeout = Duration::from_millis(300);
    let world = setup.start().await;
    let mut tasks = Vec::new();
    for _ in 0..5 {
        tasks.push(world.accept(task("Hello")).await);
    }
    // Two run and three wait, which is not above the threshold.
    until("both warm workers work", || world.pool_workers() == [0.0, 2.0, 0.0]).await;
    for _ in 0..15 {
        tasks.push(world.accept(task("Hello")).await);
    }
    model.generating(4).await;
    until("four work", || world.pool_workers() == [0.0, 4.0, 0.0]).await;

    model.gate.add_permits(tasks.len());
    for id in tasks {
        assert_ended(&world.end_of(id).await, TaskState::Succeeded, StopReason::Completed);
        assert!(world.pool_workers().iter().sum::<f64>() <= 4.0);
    }
    until("two are recycled", || world.pool_workers() == [2.0, 0.0, 0.0]).await;
}

#[tokio::test]
async fn a_slot_is_kept_for_those_who_wait_in_person() {
    let model = Arc::new(Scripted::always(Turn::Gated("done")));
    let mut setup = Setup::new(talker(), &model);
    (setup.limits.warm, setup.limits.max, setup.limits.reserved_interactive_slots) = (3, 3, 1);
    let world = setup.start().await;
    let mut tasks = Vec::new();
    for _ in 0..5 {
        tasks.push(world.accept(of_class(TaskClass::Batch)).await);
    }
    model.generating(2).await;
    until("one is idle", || world.pool_workers() == [1.0, 2.0, 0.0]).await;
    tasks.push(world.accept(of_class(TaskClass::Interactive)).await);
    model.generating(3).await;
    model.gate.add_permits(tasks.len());
    for id in tasks {
        assert_ended(&world.end_of(id).await, TaskState::Succeeded, StopReason::Completed);
    }
}

#[tokio::test]
async fn the_pool_grows_for_one_who_waits_in_person() {
    let model = Arc::new(Scripted::always(Turn::Gated("done")));
    let mut setup = Setup::new(talker(), &model);
    (setup.limits.warm, setup.limits.max) = (1, 2);
    let world = setup.start().await;
    let long = world.accept(of_class(TaskClass::Normal)).await;
    model.generating(1).await;
    let person = world.accept(of_class(TaskClass::Interactive)).await;
    model.generating(2).await;
    model.gate.add_permits(2);
    for id in [long, person] {
        assert_ended(&world.end_of(id).await, TaskState::Succeeded, StopReason::Completed);
    }
}

fn of_class(class: TaskClass) -> NewTask {
    NewTask { class, ..task("Hello") }
}

#[tokio::test]
async fn many_tasks_over_many_workers_all_end_once() {
    let model = Arc::new(Scripted::new([]));
    let mut setup = Setup::new(talker(), &model);
    (setup.limits.warm, setup.limits.max) = (4, 4);
    let world = setup.start().await;
    let tasks = vec![task("Hello"); 60];
    let accepted = world.store.accept(tasks, &crate::world::actor()).await.unwrap();
    for id in accepted.into_iter().map(|accepted| accepted.unwrap().id) {
        let ended = world.end_of(id).await;
        assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
        assert_eq!(ended.attempt.0, 1);
    }
    assert_eq!(model.requests().len(), 60);
    until("no lease is held", || world.leases.count() == 0).await;
    assert!(world.store.conservation().await.unwrap().holds());
}
