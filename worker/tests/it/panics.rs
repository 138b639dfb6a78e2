//! A panic is the outcome of the task it happened in, and of nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use config::SessionMode;
use task_queue::{Classes, Delivery, Depth, MemoryQueue, MemoryQueueSettings, Queue, QueueError};
use types::{StopReason, TaskClass, TaskId, TaskState, WorkerId};

use crate::model::{Scripted, Turn, answer, lookup};
use crate::world::{Setup, agent, assert_ended, assert_says, talker, task, until};

#[tokio::test]
async fn a_panic_in_the_model_makes_a_dead_letter_and_the_worker_goes_on() {
    let model = Arc::new(Scripted::new([Turn::Panic("index out of bounds"), answer("fine")]));
    let world = Setup::new(talker(), &model).start().await;
    let ended = world.run(task("Hello")).await;
    assert_ended(&ended, TaskState::Dead, StopReason::Internal);
    assert_says(&ended, &["index out of bounds", "report"]);
    let next = world.run(task("Hello")).await;
    assert_ended(&next, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(next.worker, ended.worker);
    assert_eq!(world.leases.count(), 0);
}

#[tokio::test]
async fn a_panic_after_tool_calls_keeps_the_steps_that_were_taken() {
    let tool = crate::tool::Tool::willing().await;
    let model = Arc::new(Scripted::new([lookup("a"), Turn::Panic("late")]));
    let world = Setup::new(agent(&tool.endpoint()), &model).start().await;
    let ended = world.run(task("Find.")).await;
    assert_ended(&ended, TaskState::Dead, StopReason::Internal);
    assert_eq!(world.steps(ended.id).await.len(), 2);
    assert_eq!(ended.steps, 2);
}

/// Kills the first worker that takes after `armed`.
struct Deadly {
    inner: MemoryQueue,
    armed: AtomicBool,
}

#[async_trait]
impl Queue for Deadly {
    async fn push(&self, ids: &[(TaskId, TaskClass)]) -> Result<(), QueueError> {
        self.inner.push(ids).await
    }

    async fn take(&self, worker: &WorkerId, classes: Classes) -> Result<Delivery, QueueError> {
        assert!(!self.armed.swap(false, Ordering::SeqCst), "deadly");
        self.inner.take(worker, classes).await
    }

    async fn acknowledge(&self, delivery: Delivery) -> Result<(), QueueError> {
        self.inner.acknowledge(delivery).await
    }

    async fn holds(&self, ids: &[TaskId]) -> Result<Vec<bool>, QueueError> {
        self.inner.holds(ids).await
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.inner.depth().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[tokio::test]
async fn a_dead_worker_is_replaced_and_its_sessions_are_gone() {
    let queue =
        Arc::new(Deadly { inner: MemoryQueue::new(MemoryQueueSettings::default()), armed: AtomicBool::new(false) });
    let model = Arc::new(Scripted::new([]));
    let mut agent = talker();
    agent.session.mode = SessionMode::Worker;
    let world = Setup { queue: queue.clone(), ..Setup::new(agent, &model) }.start().await;
    world.run(task("Hello")).await;
    let gauge = r#"openclaw_session_context_tokens{agent="helper"}"#;
    until("the session is kept", || world.metric(gauge) > 0.0).await;

    queue.armed.store(true, Ordering::SeqCst);
    // Served to its end; then the worker takes again, and dies.
    world.run(task("Hello")).await;
    world.metric_is(gauge, 0.0).await;

    assert_ended(&world.run(task("Hello")).await, TaskState::Succeeded, StopReason::Completed);
    assert_eq!(model.messages(2).len(), 2, "the new worker knows nothing of the old one's tasks");
}
