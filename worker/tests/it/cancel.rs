//! Cancelling, and losing a lease: who must stop stops at once and writes nothing it may not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Cancelling, EventKind};
use types::{AttemptNumber, StopReason, TaskState};

use crate::model::{Scripted, Turn, answer};
use crate::world::{Setup, World, actor, assert_ended, manual_clock, talker, task};

#[tokio::test]
async fn cancelling_a_running_task_stops_its_generation_at_once() {
    let model = Arc::new(Scripted::always(Turn::Gated("never")));
    let world = Setup::new(talker(), &model).start().await;
    let id = world.accept(task("Hello")).await;
    model.generating(1).await;

    let asked = Instant::now();
    assert_eq!(world.store.cancel(id, &actor()).await.unwrap(), Cancelling::Requested);
    model.generating(0).await;
    let ended = world.end_of(id).await;

    assert_ended(&ended, TaskState::Cancelled, StopReason::Cancelled);
    // A renewal, which would bring the word otherwise, is ten seconds away.
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(world.leases.count(), 0);
}

#[tokio::test]
async fn a_waiting_task_that_is_cancelled_never_reaches_the_model() {
    let model = Arc::new(Scripted::always(Turn::Gated("done")));
    let world = Setup::new(talker(), &model).start().await;
    let first = world.accept(task("First")).await;
    model.generating(1).await;
    let second = world.accept(task("Second")).await;
    let third = world.accept(task("Third")).await;

    assert_eq!(world.store.cancel(second, &actor()).await.unwrap(), Cancelling::Cancelled);
    model.gate.add_permits(3);

    assert_ended(&world.end_of(first).await, TaskState::Succeeded, StopReason::Completed);
    assert_ended(&world.end_of(third).await, TaskState::Succeeded, StopReason::Completed);
    assert_ended(&world.task(second).await, TaskState::Cancelled, StopReason::Cancelled);
    assert_eq!(model.requests().len(), 2);
}

/// A world in which a first attempt hangs, has lost its lease, and the second has given the answer.
async fn overtaken(model: &Arc<Scripted>) -> (World, types::TaskId) {
    let mut setup = Setup { clock: manual_clock(), ..Setup::new(talker(), model) };
    (setup.limits.warm, setup.limits.max) = (2, 2);
    let world = setup.start().await;
    let id = world.accept(task("Hello")).await;
    model.generating(1).await;
    world.clock.advance(Duration::from_secs(31));
    let ended = world.end_of(id).await;
    assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
    assert_eq!((ended.attempt, ended.losses, ended.failures), (AttemptNumber(2), 1, 0));
    (world, id)
}

async fn assert_only_the_second_wrote(world: &World, id: types::TaskId) {
    world.metric_is(r#"openclaw_agent_tasks_total{agent="helper",status="lost"}"#, 1.0).await;
    assert_eq!(world.task(id).await.output, Some(serde_json::json!("second")));
    assert!(world.steps(id).await.iter().all(|step| step.attempt == AttemptNumber(2)));
    assert_eq!(world.events(id).await.last(), Some(&EventKind::Succeeded));
    assert_eq!(world.metric(r#"openclaw_agent_tasks_total{agent="helper",status="succeeded"}"#), 1.0);
    assert_eq!(world.metric(r#"openclaw_agent_errors_total{agent="helper",reason="internal"}"#), 0.0);
    assert!(world.store.conservation().await.unwrap().holds());
}

#[tokio::test]
async fn an_attempt_that_lost_its_lease_writes_nothing_when_its_answer_comes() {
    let model = Arc::new(Scripted::new([Turn::Gated("first"), answer("second")]));
    let (world, id) = overtaken(&model).await;
    model.gate.add_permits(1);
    assert_only_the_second_wrote(&world, id).await;
}

#[tokio::test]
async fn an_attempt_that_lost_its_lease_is_stopped_by_the_next_renewal() {
    let model = Arc::new(Scripted::new([Turn::Gated("first"), answer("second")]));
    let (world, id) = overtaken(&model).await;
    world.leases.renew().await.unwrap();
    model.generating(0).await;
    assert_only_the_second_wrote(&world, id).await;
}
