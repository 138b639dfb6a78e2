//! Keys whose tasks must not all run at once.

use store::{Concurrency, Ending, Fence, KeyHolder, NewTask, Opened, Withheld};
use types::{TaskId, TaskState};

use crate::world::{LEASE, Limits, World, actor, complete, new_task, retry};

const BUSY: Opened = Opened::Withheld(Withheld::KeyBusy);

fn keyed(key: &str, limit: u32) -> NewTask {
    NewTask { concurrency: Some(Concurrency { key: key.to_owned(), limit }), ..new_task() }
}

async fn accepted(world: &World, task: NewTask, count: usize) -> Vec<TaskId> {
    let answers = world.store.accept(vec![task; count], &actor()).await.unwrap();
    answers.into_iter().map(|answer| answer.unwrap().id).collect()
}

pub async fn no_more_tasks_of_a_key_run_than_may(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let tasks = accepted(&world, keyed("crm", 2), 3).await;
    let first = world.open(tasks[0]).await;
    world.open(tasks[1]).await;
    assert_eq!(world.try_open(tasks[2]).await, BUSY);
    assert_eq!(world.state(tasks[2]).await, TaskState::Queued);
    world.end(first, complete()).await;
    world.open(tasks[2]).await;
}

pub async fn every_way_to_stop_frees_the_key(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let tasks = accepted(&world, keyed("crm", 1), 6).await;
    for (number, ending) in [retry(), Ending::Release, Ending::Cancelled, complete()].into_iter().enumerate() {
        let fence = world.open(tasks[number]).await;
        assert_eq!(world.try_open(tasks[5]).await, BUSY);
        world.end(fence, ending).await;
    }
    // A lost worker, once it is recorded.
    world.open(tasks[4]).await;
    world.clock.advance(LEASE);
    assert_eq!(world.try_open(tasks[5]).await, BUSY);
    world.sweep().await;
    world.open(tasks[5]).await;
}

pub async fn each_team_and_key_has_its_own_count(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let legal = NewTask { team: "legal".parse().unwrap(), ..keyed("crm", 1) };
    for free in [keyed("crm", 1), keyed("CRM", 1), keyed("mail", 1), legal, new_task(), new_task()] {
        let task = world.accept(free).await.id;
        world.open(task).await;
    }
}

pub async fn each_task_is_held_to_its_own_limit(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let wide = accepted(&world, keyed("crm", 3), 2).await;
    let narrow = world.accept(keyed("crm", 1)).await.id;
    world.open(wide[0]).await;
    assert_eq!(world.try_open(narrow).await, BUSY);
    world.open(wide[1]).await;
}

pub async fn opens_at_the_same_time_do_not_pass_the_limit(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let tasks = accepted(&world, keyed("crm", 3), 20).await;
    let opens = tasks.iter().map(|&task| {
        let (store, worker) = (world.store.clone(), world.worker.clone());
        tokio::spawn(async move { store.open(task, &worker, LEASE).await.unwrap() })
    });
    let mut held = 0;
    for open in opens.collect::<Vec<_>>() {
        match open.await.unwrap() {
            Opened::Held(_) => held += 1,
            other => assert_eq!(other, BUSY),
        }
    }
    assert_eq!(held, 3);
}

pub async fn a_task_keeps_its_key_and_cost(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let asked = NewTask { cost: 1234, ..keyed("crm", 2) };
    let id = world.accept(asked.clone()).await.id;
    let task = world.task(id).await;
    assert_eq!((&task.concurrency, task.cost), (&asked.concurrency, asked.cost));
    let waiting = world.store.queued(None, 10).await.unwrap().remove(0);
    assert_eq!((waiting.concurrency, waiting.cost), (asked.concurrency, asked.cost));
    assert_eq!(world.store.running_keyed().await.unwrap(), []);
    let Fence { task, .. } = world.open(id).await;
    world.held().await;
    let team = "sales".parse().unwrap();
    assert_eq!(world.store.running_keyed().await.unwrap(), [KeyHolder { task, team, key: "crm".to_owned() }]);
}
