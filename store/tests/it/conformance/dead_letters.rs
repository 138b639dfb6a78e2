//! Dead letters and how they come back.

use store::{Edit, Ending, EventKind, NewTask, Requeueing, TaskFilter};
use types::{TaskId, TaskState};

use crate::world::{Limits, SECOND, World, actor, complete, failure, new_task, retry};

pub async fn a_dead_letter_that_is_put_back_starts_afresh(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let id = world.accept(NewTask { max_retries: Some(0), ..new_task() }).await.id;
    let fence = world.open(id).await;
    world.end(fence, retry()).await;
    world.outbound().await;
    assert_eq!(world.store.requeue(id, &Edit::default(), &actor()).await.unwrap(), Requeueing::Queued);
    let task = world.task(id).await;
    assert_eq!((task.state, task.failures, task.losses), (TaskState::Queued, 0, 0));
    assert_eq!((task.stop_reason, task.error, task.finished_at), (None, None, None));
    assert_eq!(world.outbound().await, [id]);
    assert!(world.audit_actions().await.contains(&"task.requeue".to_owned()));
    // The number of attempts goes on: what the dead one still writes is refused.
    let second = world.open(id).await;
    assert_eq!(second.attempt.0, 2);
    world.end(second, complete()).await;
    assert_eq!(
        world.event_kinds(id).await,
        [
            EventKind::Accepted,
            EventKind::Started,
            EventKind::Dead,
            EventKind::Requeued,
            EventKind::Started,
            EventKind::Succeeded
        ]
    );
    world.assert_conserved().await;
}

pub async fn only_dead_letters_are_put_back(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.end(fence, Ending::Fail(failure())).await;
    assert_eq!(
        world.store.requeue(fence.task, &Edit::default(), &actor()).await.unwrap(),
        Requeueing::NotDead(TaskState::Failed)
    );
    assert_eq!(world.store.requeue(TaskId::new(), &Edit::default(), &actor()).await.unwrap(), Requeueing::Unknown);
}

pub async fn a_deadline_that_has_passed_is_dropped(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let id = world.accept(NewTask { deadline_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    let fence = world.open(id).await;
    world.end(fence, Ending::Bury(failure())).await;
    world.clock.advance(SECOND);
    world.store.requeue(id, &Edit::default(), &actor()).await.unwrap();
    world.open(id).await;
}

pub async fn dead_letters_are_listed_by_state(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let dead = world.dead().await;
    world.held().await;
    let filter = TaskFilter { state: Some(TaskState::Dead), ..TaskFilter::default() };
    let page = world.store.tasks(&filter, None, 10).await.unwrap();
    assert_eq!(page.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [dead]);
    assert_eq!(page.tasks[0].error.as_deref(), Some("pdf_parse answered 503"));
}
