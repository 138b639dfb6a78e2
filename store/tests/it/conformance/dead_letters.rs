//! Dead letters and how they come back.

use store::{Edit, Ending, EventKind, NewTask, Purging, Requeueing, TaskFilter};
use types::{StopReason, TaskClass, TaskId, TaskState};

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

pub async fn dead_letters_are_found_by_reason_and_by_when_they_died(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.dead().await;
    world.clock.advance(SECOND);
    let second = world.dead().await;
    let dead = || TaskFilter { state: Some(TaskState::Dead), ..TaskFilter::default() };
    for (filter, expected) in [
        (TaskFilter { ended_before: Some(world.now()), ..dead() }, vec![first]),
        (TaskFilter { ended_before: Some(world.now().after(SECOND)), ..dead() }, vec![second, first]),
        (TaskFilter { stop_reason: Some(StopReason::ToolError), ..dead() }, vec![second, first]),
        (TaskFilter { stop_reason: Some(StopReason::Poison), ..dead() }, vec![]),
    ] {
        let page = world.store.tasks(&filter, None, 10).await.unwrap();
        assert_eq!(page.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

pub async fn a_dead_letter_can_be_edited_as_it_is_put_back(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (untouched, edited) = (world.dead().await, world.dead().await);
    world.store.requeue(untouched, &Edit::default(), &actor()).await.unwrap();
    let edit = Edit {
        input: Some("Summarise this in French.".to_owned()),
        agent: Some("translator".parse().unwrap()),
        class: Some(TaskClass::Batch),
        max_retries: Some(9),
    };
    assert_eq!(world.store.requeue(edited, &edit, &actor()).await.unwrap(), Requeueing::Queued);
    let task = world.task(edited).await;
    assert_eq!(
        Edit { input: task.input, agent: Some(task.agent), class: Some(task.class), max_retries: task.max_retries },
        edit
    );
    let same = world.task(untouched).await;
    assert_eq!((same.input, same.class, same.max_retries), (new_task().input, TaskClass::Normal, None));
    let figures = world.store.figures().await.unwrap();
    assert_eq!(TaskClass::ALL.map(|class| figures.queued(class)), [0, 1, 1]);
}

pub async fn a_purged_dead_letter_is_gone_and_accounted_for(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (purged, kept) = (world.dead().await, world.dead().await);
    assert_eq!(world.store.purge(purged, &actor()).await.unwrap(), Purging::Purged);
    assert_eq!(world.store.task(purged).await.unwrap(), None);
    assert!(world.event_kinds(purged).await.is_empty());
    assert_eq!(world.state(kept).await, TaskState::Dead);
    assert_eq!(world.store.purge(purged, &actor()).await.unwrap(), Purging::Unknown);
    assert_eq!(world.audit_actions().await.iter().filter(|action| *action == "task.purge").count(), 1);
    assert_eq!(world.store.figures().await.unwrap().in_state(TaskState::Dead), 1);
    assert_eq!(world.store.conservation().await.unwrap().pruned, 1);
    world.assert_conserved().await;
}

pub async fn only_dead_letters_are_purged(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    assert_eq!(world.store.purge(fence.task, &actor()).await.unwrap(), Purging::NotDead(TaskState::Running));
    world.end(fence, complete()).await;
    assert_eq!(world.store.purge(fence.task, &actor()).await.unwrap(), Purging::NotDead(TaskState::Succeeded));
}
