//! What no one opens for now.

use store::{NewTask, Opened, Scope, Withheld};
use types::{TaskClass, TaskState};

use crate::world::{LEASE, Limits, SECOND, World, actor, complete, new_task};

const PAUSED: Opened = Opened::Withheld(Withheld::Paused);

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

pub async fn nothing_that_a_pause_covers_is_opened(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let batch = NewTask { class: TaskClass::Batch, ..new_task() };
    let router = NewTask { agent: "router".parse().unwrap(), ..new_task() };
    let legal = NewTask { team: "legal".parse().unwrap(), ..new_task() };
    for (paused, covered) in
        [("all", new_task()), ("class:batch", batch), ("agent:router", router), ("team:legal", legal)]
    {
        let covered = world.accept(covered).await.id;
        world.store.pause(&scope(paused), "the tool is down", &actor()).await.unwrap();
        assert_eq!(world.try_open(covered).await, PAUSED, "{paused}");
        if paused != "all" {
            world.held().await;
        }
        assert_eq!(world.state(covered).await, TaskState::Queued);
        assert!(world.store.resume(&scope(paused), &actor()).await.unwrap());
        world.open(covered).await;
    }
}

pub async fn what_runs_goes_on_through_a_pause(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let (runs, lost) = (world.held().await, world.held().await);
    world.store.pause(&Scope::All, "", &actor()).await.unwrap();
    world.end(runs, complete()).await;
    world.pass(LEASE).await;
    assert_eq!(world.try_open(lost.task).await, PAUSED, "and is not begun again");
}

pub async fn a_covered_task_can_be_accepted_cancelled_and_time_out(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.store.pause(&Scope::All, "", &actor()).await.unwrap();
    let cancelled = world.queued().await;
    world.store.cancel(cancelled, &actor()).await.unwrap();
    assert_eq!(world.try_open(cancelled).await, Opened::Gone(TaskState::Cancelled));
    let hurried = world.accept(NewTask { deadline_at: Some(world.now().after(SECOND)), ..new_task() }).await.id;
    world.clock.advance(SECOND);
    assert_eq!(world.try_open(hurried).await, Opened::Gone(TaskState::Failed));
}

pub async fn pauses_are_listed_with_who_why_and_since_when(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.store.pause(&scope("team:sales"), "first", &actor()).await.unwrap();
    world.clock.advance(SECOND);
    world.store.pause(&Scope::All, "a fire", &actor()).await.unwrap();
    world.clock.advance(SECOND);
    world.store.pause(&scope("team:sales"), "newer", &actor()).await.unwrap();
    let pauses = world.store.pauses().await.unwrap();
    let told: Vec<_> = pauses.iter().map(|pause| (pause.scope.to_string(), pause.reason.as_str())).collect();
    assert_eq!(told, [("all".to_owned(), "a fire"), ("team:sales".to_owned(), "newer")]);
    assert_eq!((&pauses[1].by, pauses[1].since), (&actor(), world.now()));
}

pub async fn resuming_says_whether_there_was_a_pause(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    assert!(!world.store.resume(&Scope::All, &actor()).await.unwrap());
    world.store.pause(&Scope::All, "", &actor()).await.unwrap();
    assert!(!world.store.resume(&scope("class:batch"), &actor()).await.unwrap());
    assert!(world.store.resume(&Scope::All, &actor()).await.unwrap());
    assert_eq!(world.audit_actions().await, ["queue.pause", "queue.resume"]);
}
