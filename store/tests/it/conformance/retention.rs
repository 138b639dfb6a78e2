//! Forgetting by age.

use std::time::Duration;

use store::{Ending, NewDocument, NewTask, Pruned, Retention};
use types::TaskState;

use crate::world::{Limits, SECOND, World, actor, complete, failure, new_document, new_step, new_task};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn succeeded(kept: Duration) -> Retention {
    Retention { succeeded: Some(kept), ..Retention::default() }
}

fn documents(kept: Duration) -> Retention {
    Retention { documents: Some(kept), ..Retention::default() }
}

fn tasks(count: u32) -> Pruned {
    Pruned { tasks: count, ..Pruned::default() }
}

pub async fn an_ended_task_is_forgotten_after_its_time(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let fence = world.held().await;
    world.store.record_step(fence, new_step(world.now())).await.unwrap();
    world.end(fence, complete()).await;
    world.clock.advance(DAY - SECOND);
    assert_eq!(world.store.prune(&succeeded(DAY), 10).await.unwrap(), Pruned::default());
    world.clock.advance(SECOND);
    assert_eq!(world.store.prune(&succeeded(DAY), 10).await.unwrap(), tasks(1));
    assert_eq!(world.store.task(fence.task).await.unwrap(), None);
    assert!(world.event_kinds(fence.task).await.is_empty());
    assert!(world.store.steps(fence.task).await.unwrap().is_empty());
    assert_eq!(world.audit_actions().await.last().unwrap(), "task.prune");
    let conservation = world.store.conservation().await.unwrap();
    assert!(conservation.holds(), "{conservation:?}");
    assert_eq!((conservation.accepted, conservation.pruned), (1, 1));
}

pub async fn each_end_has_its_own_time(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let endings =
        [complete(), Ending::Fail(failure()), Ending::Cancelled, Ending::Bury(failure()), Ending::Release].into_iter();
    for ending in endings {
        let fence = world.held().await;
        world.end(fence, ending).await;
    }
    world.held().await;
    world.clock.advance(DAY);
    let keeps = Retention::default();
    assert_eq!(world.store.prune(&keeps, 10).await.unwrap(), Pruned::default());
    let (kept, figured) = (Some(Duration::ZERO), async |state| world.store.figures().await.unwrap().in_state(state));
    for (retention, state) in [
        (Retention { succeeded: kept, ..keeps }, TaskState::Succeeded),
        (Retention { failed: kept, ..keeps }, TaskState::Failed),
        (Retention { cancelled: kept, ..keeps }, TaskState::Cancelled),
        (Retention { dead: kept, ..keeps }, TaskState::Dead),
    ] {
        assert_eq!(figured(state).await, 1);
        assert_eq!(world.store.prune(&retention, 10).await.unwrap(), tasks(1));
        assert_eq!(figured(state).await, 0);
    }
    assert_eq!((figured(TaskState::Queued).await, figured(TaskState::Running).await), (1, 1), "they have not ended");
    world.assert_conserved().await;
}

pub async fn no_more_than_the_limit_goes_at_once_the_oldest_first(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        let fence = world.held().await;
        world.end(fence, complete()).await;
        world.clock.advance(SECOND);
        ended.push(fence.task);
    }
    assert_eq!(world.store.prune(&succeeded(SECOND), 2).await.unwrap(), tasks(2));
    assert!(world.store.task(ended[2]).await.unwrap().is_some());
    assert_eq!(world.store.prune(&succeeded(SECOND), 2).await.unwrap(), tasks(1));
}

pub async fn a_forgotten_tasks_idempotency_key_is_free_again(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let keyed = NewTask { idempotency_key: Some("k".to_owned()), ..new_task() };
    let first = world.accept(keyed.clone()).await.id;
    let fence = world.open(first).await;
    world.end(fence, complete()).await;
    world.store.prune(&succeeded(Duration::ZERO), 10).await.unwrap();
    let second = world.accept(keyed).await;
    assert!(!second.existing && second.id != first);
}

pub async fn documents_that_no_task_refers_to_are_forgotten(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let used = world.store.put_document(new_document(b"used"), &actor()).await.unwrap();
    let unused = world.store.put_document(new_document(b"unused"), &actor()).await.unwrap();
    let task = world.accept(NewTask { documents: vec![used.id.clone()], ..new_task() }).await.id;
    world.clock.advance(DAY - SECOND);
    assert_eq!(world.store.prune(&documents(DAY), 10).await.unwrap(), Pruned::default());
    world.clock.advance(SECOND);
    assert_eq!(world.store.prune(&documents(DAY), 10).await.unwrap(), Pruned { documents: 1, ..tasks(0) });
    assert_eq!(world.store.document(&unused.team, &unused.id).await.unwrap(), None);
    assert_eq!(world.store.document_bytes(&unused.team, &unused.id).await.unwrap(), None);
    assert!(world.store.document_bytes(&used.team, &used.id).await.unwrap().is_some());
    // With its last task the other goes as well.
    let fence = world.open(task).await;
    world.end(fence, complete()).await;
    let all = Retention { documents: Some(DAY), ..succeeded(Duration::ZERO) };
    assert_eq!(world.store.prune(&all, 10).await.unwrap(), Pruned { tasks: 1, documents: 1 });
    assert_eq!(world.store.document(&used.team, &used.id).await.unwrap(), None);
}

pub async fn a_document_that_is_stored_again_stays(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    let first = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    world.clock.advance(DAY);
    let again = world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    assert_eq!((&again.id, again.stored_at), (&first.id, first.stored_at));
    assert_eq!(world.store.prune(&documents(DAY), 10).await.unwrap(), Pruned::default());
}

pub async fn bytes_go_with_their_last_name(make: impl AsyncFn(Limits) -> World) {
    let world = make(Limits::default()).await;
    world.store.put_document(new_document(b"bytes"), &actor()).await.unwrap();
    world.clock.advance(DAY);
    let renamed = NewDocument { name: "copy.pdf".to_owned(), ..new_document(b"bytes") };
    let renamed = world.store.put_document(renamed, &actor()).await.unwrap();
    assert_eq!(world.store.prune(&documents(DAY), 10).await.unwrap().documents, 1);
    assert!(world.store.document_bytes(&renamed.team, &renamed.id).await.unwrap().is_some());
}
