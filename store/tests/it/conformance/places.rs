//! Why a task waits.

use store::{Concurrency, NewTask, PlaceInLine, Scope};
use types::{TaskClass, TaskId};

use crate::world::{Limits, SECOND, World, actor, complete, new_task};

pub async fn a_task_waits_for_those_of_its_class_that_waited_longer(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let batch = NewTask { class: TaskClass::Batch, ..new_task() };
    world.accept(batch.clone()).await;
    world.accept(NewTask { team: "legal".parse().unwrap(), ..batch.clone() }).await;
    world.queued().await;
    let asked = world.accept(batch.clone()).await.id;
    world.clock.advance(SECOND);
    world.accept(batch.clone()).await;
    let place = world.store.place_in_line(asked).await.unwrap();
    assert_eq!(place, Some(PlaceInLine { ahead_in_class: 2, ahead_of_team: 1, ..PlaceInLine::default() }));
    // One that is not due yet comes after all that are.
    let due_at = Some(world.now().after(SECOND));
    let scheduled = world.accept(NewTask { due_at, ..batch }).await.id;
    assert_eq!(world.store.place_in_line(scheduled).await.unwrap().unwrap().ahead_in_class, 4);
}

pub async fn its_pauses_and_its_key_are_told(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let keyed = NewTask { concurrency: Some(Concurrency { key: "crm".to_owned(), limit: 1 }), ..new_task() };
    let running = world.accept(keyed.clone()).await.id;
    world.open(running).await;
    let asked = world.accept(keyed).await.id;
    for scope in ["team:legal", "team:sales", "class:batch"] {
        world.store.pause(&scope.parse().unwrap(), "maintenance", &actor()).await.unwrap();
    }
    let place = world.store.place_in_line(asked).await.unwrap().unwrap();
    assert_eq!(place.running_with_key, 1);
    assert_eq!(
        place.pauses.iter().map(|pause| &pause.scope).collect::<Vec<_>>(),
        [&Scope::Team("sales".parse().unwrap())]
    );
}

pub async fn the_last_minutes_ends_of_its_class_are_counted(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.end(fence, complete()).await;
    let cancelled = world.accept(NewTask { class: TaskClass::Batch, ..new_task() }).await.id;
    world.store.cancel(cancelled, &actor()).await.unwrap();
    let asked = world.queued().await;
    let ended = async || world.store.place_in_line(asked).await.unwrap().unwrap().finished_last_minute;
    world.clock.advance(SECOND * 59);
    assert_eq!(ended().await, 1);
    world.clock.advance(SECOND);
    assert_eq!(ended().await, 0);
}

pub async fn one_that_does_not_wait_has_no_place(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (running, dead) = (world.held().await.task, world.dead().await);
    for task in [running, dead, TaskId::new()] {
        assert_eq!(world.store.place_in_line(task).await.unwrap(), None);
    }
}
