//! Lists and figures.

use store::{NewTask, TaskFilter, Waiting};
use types::{TaskClass, TaskId, TaskState};

use crate::world::{Limits, POLICY, SECOND, World, complete, new_task, retry};

pub async fn tasks_are_listed_newest_first_in_pages(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let mut accepted = Vec::new();
    for _ in 0..5 {
        accepted.push(world.queued().await);
    }
    accepted.reverse();
    let mut listed: Vec<TaskId> = Vec::new();
    let mut before = None;
    for expected in [2, 2, 1] {
        let page = world.store.tasks(&TaskFilter::default(), before, 2).await.unwrap();
        assert_eq!(page.tasks.len(), expected);
        listed.extend(page.tasks.iter().map(|task| task.id));
        before = page.next;
    }
    assert_eq!((listed, before), (accepted, None));
}

pub async fn lists_are_filtered(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let normal = world.queued().await;
    let legal = world.accept(NewTask { team: "legal".parse().unwrap(), ..new_task() }).await.id;
    let router = world.accept(NewTask { agent: "router".parse().unwrap(), ..new_task() }).await.id;
    let batch = world.accept(NewTask { class: TaskClass::Batch, ..new_task() }).await.id;
    world.open(normal).await;
    let all = TaskFilter::default;
    for (filter, expected) in [
        (TaskFilter { team: Some("legal".parse().unwrap()), ..all() }, vec![legal]),
        (TaskFilter { agent: Some("router".parse().unwrap()), ..all() }, vec![router]),
        (TaskFilter { class: Some(TaskClass::Batch), ..all() }, vec![batch]),
        (TaskFilter { state: Some(TaskState::Running), ..all() }, vec![normal]),
        (
            TaskFilter { state: Some(TaskState::Queued), team: Some("sales".parse().unwrap()), ..all() },
            vec![batch, router],
        ),
        (TaskFilter { state: Some(TaskState::Dead), ..all() }, vec![]),
    ] {
        let page = world.store.tasks(&filter, None, 10).await.unwrap();
        assert_eq!(page.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

pub async fn figures_count_by_state_and_class(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.queued().await;
    world.accept(NewTask { class: TaskClass::Batch, ..new_task() }).await;
    world.held().await;
    let (done, again) = (world.held().await, world.held().await);
    world.end(done, complete()).await;
    world.end(again, retry()).await;
    let figures = world.store.figures().await.unwrap();
    let counts = TaskState::ALL.map(|state| figures.in_state(state));
    assert_eq!(counts, [2, 1, 1, 0, 1, 0, 0, 0]);
    assert_eq!(TaskClass::ALL.map(|class| figures.queued(class)), [0, 1, 1]);
    assert_eq!(figures.waiting(), 3);
}

pub async fn the_oldest_queued_age_is_since_it_was_ready(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let oldest = world.queued().await;
    world.clock.advance(SECOND * 5);
    let retried = world.held().await;
    world.end(retried, retry()).await;
    assert_eq!(world.store.figures().await.unwrap().oldest_queued, [None, Some(SECOND * 5), None]);
    world.open(oldest).await;
    world.clock.advance(POLICY.initial);
    world.sweep().await;
    world.clock.advance(SECOND);
    assert_eq!(world.store.figures().await.unwrap().oldest_queued, [None, Some(SECOND), None]);
}

pub async fn every_queued_task_can_be_read_in_pages(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.queued().await;
    let second = world.accept(NewTask { class: TaskClass::Batch, ..new_task() }).await.id;
    world.held().await;
    let page = async |after, limit| {
        let waiting = world.store.queued(after, limit).await.unwrap();
        waiting.iter().map(|waiting| (waiting.task, waiting.class)).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 1).await, [(first, TaskClass::Normal)]);
    assert_eq!(page(Some(first), 10).await, [(second, TaskClass::Batch)]);
}

pub async fn those_that_are_still_queued_are_told(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let queued = world.accept(NewTask { class: TaskClass::Batch, cost: 70, ..new_task() }).await;
    let (held, dead) = (world.held().await.task, world.dead().await);
    let asked = [dead, queued.id, held, types::TaskId::new(), queued.id];
    let waiting = Waiting {
        task: queued.id,
        class: TaskClass::Batch,
        team: "sales".parse().unwrap(),
        agent: "summary".parse().unwrap(),
        cost: 70,
        queued_at: queued.accepted_at,
        concurrency: None,
    };
    assert_eq!(world.store.still_queued(&asked).await.unwrap(), [waiting]);
    assert!(world.store.still_queued(&[]).await.unwrap().is_empty());
}
