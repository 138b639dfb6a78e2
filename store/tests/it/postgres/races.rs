//! Two processes that want different things of the same rows at the same moment.

use std::sync::Arc;
use std::time::Duration;

use store::{
    AcceptError, Concurrency, Edit, Ending, Fence, NewTask, Opened, Purging, Requeueing, Retention, Scope, Store,
    Withheld,
};
use tokio::task::JoinSet;
use types::{TaskId, TaskState};

use crate::world::{Home, LEASE, Limits, actor, clock, complete, failure, new_document, new_task, worker};

/// Two processes' stores on a new database.
async fn two() -> [Arc<dyn Store>; 2] {
    let home = Home::server(Limits::default(), &clock()).await;
    [home.open().await, home.open().await]
}

async fn accept(store: &dyn Store, task: NewTask, count: usize) -> Vec<TaskId> {
    let answers = store.accept(vec![task; count], &actor()).await.unwrap();
    answers.into_iter().map(|answer| answer.unwrap().id).collect()
}

#[tokio::test]
async fn a_keys_limit_holds_for_all_of_them_together() {
    let [one, other] = two().await;
    let concurrency = Some(Concurrency { key: "crm".to_owned(), limit: 1 });
    let (first, second) = (worker(0), worker(1));
    for _ in 0..60 {
        let tasks = accept(&*one, NewTask { concurrency: concurrency.clone(), ..new_task() }, 2).await;
        let (here, there) = tokio::join!(one.open(tasks[0], &first, LEASE), other.open(tasks[1], &second, LEASE));
        let busy = Opened::Withheld(Withheld::KeyBusy);
        let held = match (here.unwrap(), there.unwrap()) {
            (Opened::Held(task), withheld) | (withheld, Opened::Held(task)) if withheld == busy => task,
            opened => panic!("{opened:?}"),
        };
        one.end(Fence { task: held.id, attempt: held.attempt }, complete()).await.unwrap();
        for task in tasks {
            other.cancel(task, &actor()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_one_pauses_no_other_opens() {
    let [one, other] = two().await;
    let task = accept(&*one, new_task(), 1).await[0];
    one.pause(&Scope::All, "a fire", &actor()).await.unwrap();
    let paused = Opened::Withheld(Withheld::Paused);
    assert_eq!(other.open(task, &worker(0), LEASE).await.unwrap(), paused);
    other.resume(&Scope::All, &actor()).await.unwrap();
    assert!(matches!(one.open(task, &worker(0), LEASE).await.unwrap(), Opened::Held(_)));
}

#[tokio::test]
async fn the_outbox_gives_each_task_to_one_of_them() {
    let stores = two().await;
    let mut tasks = accept(&*stores[0], new_task(), 300).await;
    let mut taking = JoinSet::new();
    for store in stores.iter().cycle().take(60) {
        let store = Arc::clone(store);
        taking.spawn(async move { store.take_outbox(20).await.unwrap() });
    }
    let mut taken: Vec<TaskId> = taking.join_all().await.into_iter().flatten().map(|waiting| waiting.task).collect();
    taken.extend(stores[0].take_outbox(1000).await.unwrap().into_iter().map(|waiting| waiting.task));
    taken.sort_unstable();
    tasks.sort_unstable();
    assert_eq!(taken, tasks);
}

#[tokio::test]
async fn a_dead_letter_is_put_back_purged_or_pruned_once() {
    let stores = two().await;
    let at_once = Retention { dead: Some(Duration::ZERO), ..Retention::default() };
    for round in 0..80 {
        let task = accept(&*stores[0], new_task(), 1).await[0];
        let opened = stores[0].open(task, &worker(0), LEASE).await.unwrap();
        let Opened::Held(held) = opened else { panic!("{opened:?}") };
        stores[0].end(Fence { task, attempt: held.attempt }, Ending::Bury(failure())).await.unwrap();
        let (by, edit) = (actor(), Edit::default());
        let forgotten = async {
            match round % 2 {
                0 => stores[1].purge(task, &by).await.unwrap() == Purging::Purged,
                _ => stores[1].prune(&at_once, 10).await.unwrap().tasks == 1,
            }
        };
        let (back, gone) = tokio::join!(stores[0].requeue(task, &edit, &by), forgotten);
        let back = back.unwrap() == Requeueing::Queued;
        assert!(back ^ gone, "put back: {back}, gone: {gone}");
        assert_eq!(stores[0].task(task).await.unwrap().map(|task| task.state), back.then_some(TaskState::Queued));
        if back {
            stores[0].cancel(task, &by).await.unwrap();
        }
    }
    let conservation = stores[0].conservation().await.unwrap();
    assert!(conservation.holds(), "{conservation:?}");
}

#[tokio::test]
async fn a_document_is_not_forgotten_under_a_task_that_refers_to_it() {
    let [uploads, prunes] = two().await;
    let at_once = Retention { documents: Some(Duration::ZERO), ..Retention::default() };
    for _ in 0..150 {
        let asked = async {
            let document = uploads.put_document(new_document(b"bytes"), &actor()).await.unwrap();
            let task = NewTask { documents: vec![document.id.clone()], ..new_task() };
            let answer = uploads.accept(vec![task], &actor()).await.unwrap().remove(0);
            (document, answer)
        };
        let ((document, answer), pruned) = tokio::join!(asked, prunes.prune(&at_once, 10));
        pruned.unwrap();
        let bytes = uploads.document_bytes(&document.team, &document.id).await.unwrap();
        match answer {
            Ok(accepted) => {
                assert_eq!(bytes.as_deref(), Some(&b"bytes"[..]));
                uploads.cancel(accepted.id, &actor()).await.unwrap();
                let all = Retention { cancelled: Some(Duration::ZERO), ..Retention::default() };
                assert_eq!(uploads.prune(&all, 10).await.unwrap().tasks, 1);
            }
            Err(AcceptError::UnknownDocuments { .. }) => assert_eq!(bytes, None),
            Err(error) => panic!("{error}"),
        }
    }
}
