//! How a pool ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::EventKind;
use types::{StopReason, TaskState};

use crate::model::{Scripted, Turn};
use crate::world::{Setup, assert_ended, talker, task, until, within};

#[tokio::test]
async fn draining_lets_a_running_task_finish_and_takes_no_other() {
    let model = Arc::new(Scripted::always(Turn::Gated("done")));
    let world = Setup::new(talker(), &model).start().await;
    let running = world.accept(task("First")).await;
    model.generating(1).await;
    let waiting = world.accept(task("Second")).await;

    world.stop.cancel();
    until("the worker drains", || world.pool_workers() == [0.0, 0.0, 1.0]).await;
    model.gate.add_permits(2);
    within("the pool ends", world.pool).await.unwrap();

    let store = world.store;
    let ended = store.task(running).await.unwrap().unwrap();
    assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(store.task(waiting).await.unwrap().unwrap().state, TaskState::Queued);
}

#[tokio::test]
async fn beyond_the_grace_period_a_task_goes_back_to_its_line_with_no_failure_counted() {
    let model = Arc::new(Scripted::always(Turn::Gated("never")));
    let world = Setup { grace: Duration::from_millis(50), ..Setup::new(talker(), &model) }.start().await;
    let id = world.accept(task("Hello")).await;
    model.generating(1).await;

    world.stop.cancel();
    let released = world.reaches(id, TaskState::Queued).await;

    assert_eq!((released.failures, released.losses, released.attempt.0), (0, 0, 1));
    assert_eq!(world.events(id).await.last(), Some(&EventKind::Released));
    model.generating(0).await;
    world.metric_is(r#"openclaw_agent_tasks_total{agent="helper",status="released"}"#, 1.0).await;
    assert!(world.samples().iter().all(|(name, _)| !name.starts_with("openclaw_agent_errors_total")), "it is no error");
    within("the pool ends", world.pool).await.unwrap();
}

#[tokio::test]
async fn a_stopped_engine_gives_the_task_back_and_is_not_asked_again_at_once() {
    let model = Arc::new(Scripted::new([Turn::Fail(inference::ReplyError::Stopped)]));
    let world = Setup::new(talker(), &model).start().await;
    let begun = Instant::now();
    let ended = world.run(task("Hello")).await;
    assert_ended(&ended, TaskState::Succeeded, StopReason::Completed);
    assert_eq!((ended.attempt.0, ended.failures), (2, 0));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_closed_queue_ends_the_pool() {
    let model = Arc::new(Scripted::new([]));
    let world = Setup::new(talker(), &model).start().await;
    world.run(task("Hello")).await;
    world.queue.close().await;
    within("the pool ends", world.pool).await.unwrap();
}
