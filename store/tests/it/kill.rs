//! A process that is killed while it accepts and works: what it promised is kept, and ends once.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use store::{
    EventKind, Leases, NewTask, Opening, Relay, RelaySettings, SqliteSettings, SqliteStore, Store, StoreError,
};
use task_queue::{Classes, MemoryQueue, MemoryQueueSettings, Queue, QueueError};
use tempfile::TempDir;
use tokio::task::JoinSet;
use types::{TaskId, TaskState, WorkerId};

use crate::world::{LEASE, SECOND, actor, new_step, new_task, worker};

const FOLDER: &str = "STORE_TEST_FOLDER_TO_WORK_IN";
const WORKERS: u32 = 4;
const CALLERS: usize = 4;

fn settings(folder: &Path) -> SqliteSettings {
    // Killed over and over: that is no reason to bury anything here.
    SqliteSettings { max_losses: 100, ..SqliteSettings::new(folder.join("talon.db")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_promised_ends_once() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        work_until_killed(Path::new(&folder)).await;
    }
    let folder = TempDir::new().unwrap();
    let mut promised = HashSet::new();
    let mut ended = HashSet::new();
    for lines in [1, 40, 150, 7, 300] {
        let mut child = start(folder.path());
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut count = 0;
        while count < lines {
            let line = said.next().expect("it goes on until it is killed").unwrap();
            count += usize::from(note(&line, &mut promised, &mut ended));
        }
        match SqliteStore::open(settings(folder.path())).await {
            Err(StoreError::InUse { holder, .. }) => assert_eq!(holder, Some(child.id())),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("two processes own the file"),
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        // What it said before it died counts as well.
        for line in said.map_while(Result::ok) {
            note(&line, &mut promised, &mut ended);
        }
    }
    finish(folder.path(), &promised, &ended).await;
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::what_a_killed_process_promised_ends_once", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whether the line is one of ours. The last may be cut off; then it was not said.
fn note(line: &str, promised: &mut HashSet<TaskId>, ended: &mut HashSet<TaskId>) -> bool {
    let Some((what, id)) = line.split_once(' ') else { return false };
    let set = match what {
        "accepted" => promised,
        "ended" => ended,
        _ => return false,
    };
    id.parse().map(|id| set.insert(id)).is_ok()
}

/// Where a process tells of what it has done.
type Say = fn(&str, TaskId);

fn quiet(_: &str, _: TaskId) {}

fn say(what: &str, task: TaskId) {
    // One call, so that lines of several threads do not mix.
    std::io::stdout().write_all(format!("{what} {task}\n").as_bytes()).unwrap();
}

async fn work_until_killed(folder: &Path) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(settings(folder)).await.unwrap());
    let mut all = run_workers(&store, say);
    for caller in 0..CALLERS {
        let store = Arc::clone(&store);
        all.spawn(async move {
            // Some alone, some in bulk.
            loop {
                let tasks = vec![new_task(); if caller == 0 { 10 } else { 1 }];
                for accepted in store.accept(tasks, &actor()).await.unwrap() {
                    say("accepted", accepted.unwrap().id);
                }
            }
        });
    }
    all.join_all().await;
}

/// Relay, renewal and workers, as a process has them. Every fifth attempt is given back, the others complete.
fn run_workers(store: &Arc<dyn Store>, say: Say) -> JoinSet<()> {
    let queue: Arc<dyn Queue> = Arc::new(MemoryQueue::new(MemoryQueueSettings::default()));
    let leases = Leases::new(Arc::clone(store), LEASE);
    let mut all = JoinSet::new();
    let relay = Relay::new(Arc::clone(store), Arc::clone(&queue), RelaySettings::default());
    all.spawn(relay.run(std::future::pending()));
    all.spawn(leases.clone().run(std::future::pending()));
    for slot in 0..WORKERS {
        all.spawn(work(worker(slot), Arc::clone(&queue), leases.clone(), say));
    }
    all
}

async fn work(worker: WorkerId, queue: Arc<dyn Queue>, leases: Leases, say: Say) {
    for number in 1.. {
        let delivery = match queue.take(&worker, Classes::All).await {
            Ok(delivery) => delivery,
            Err(QueueError::Closed(_)) => return,
            Err(error) => panic!("{error}"),
        };
        let opening = leases.open(delivery.task(), &worker).await.unwrap();
        queue.acknowledge(delivery).await.unwrap();
        let Opening::Opened(lease) = opening else { continue };
        let task = lease.task().id;
        lease.record_step(new_step(types::Timestamp::now())).await.unwrap();
        if number % 5 == 0 {
            lease.release().await.unwrap();
        } else {
            lease.complete(json!(task)).await.unwrap();
            say("ended", task);
        }
    }
}

/// A last process finishes what is left; then every promise is looked at.
async fn finish(folder: &Path, promised: &HashSet<TaskId>, ended: &HashSet<TaskId>) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(settings(folder)).await.unwrap());
    for &task in ended {
        assert_eq!(store.task(task).await.unwrap().unwrap().state, TaskState::Succeeded);
    }
    // One that comes last shows that the workers have come through.
    let keyed = NewTask { idempotency_key: Some("last".to_owned()), ..new_task() };
    let last = store.accept(vec![keyed], &actor()).await.unwrap().pop().unwrap().unwrap().id;
    let workers = run_workers(&store, quiet);
    for &task in promised.iter().chain([&last]) {
        let task = store::wait(&*store, task, SECOND * 120).await.unwrap().expect("what was promised is there");
        assert_eq!((task.state, task.output), (TaskState::Succeeded, Some(json!(task.id))));
        let events = store.events(task.id, 0, 10_000).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::Succeeded).count(), 1);
    }
    drop(workers);
    let conservation = store.conservation().await.unwrap();
    assert!(conservation.holds(), "{conservation:?}");
    assert!(promised.len() as u64 <= conservation.accepted);
}
