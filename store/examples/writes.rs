//! How many tasks a second a store takes: in bulk, one by one, and from acceptance to the end.
//!
//! `cargo run --release -p store --example writes -- postgres://user@host/empty_database [--json]`
//! `cargo run --release -p store --example writes -- /tmp/new.db [--json]`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use store::{
    Actor, Ending, Fence, NewTask, Opened, PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store,
    StoreError,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use types::{ProcessId, TaskClass, TaskId, WorkerId};

const BULK: usize = 1000;
const CALLERS: u32 = 64;
const TIME: Duration = Duration::from_secs(5);
const LEASE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let at = arguments.iter().find(|argument| !argument.starts_with("--")).ok_or("give a URL or a path")?;
    let store: Arc<dyn Store> = if at.starts_with("postgres") {
        let settings = PostgresSettings { max_queued: u64::MAX, ..PostgresSettings::new(at) };
        Arc::new(PostgresStore::open(settings).await?)
    } else {
        Arc::new(SqliteStore::open(SqliteSettings { max_queued: u64::MAX, ..SqliteSettings::new(at) }).await?)
    };

    let one_by_one = per_second(&store, CALLERS, |store, _| async move { accept(&*store, 1).await.map(|_| 1) }).await?;
    let whole = per_second(&store, CALLERS, |store, slot| async move { live(&*store, slot).await.map(|()| 1) }).await?;
    let bulk =
        per_second(&store, 2, |store, _| async move { accept(&*store, BULK).await.map(|ids| ids.len()) }).await?;
    let conservation = store.conservation().await?;
    if !conservation.holds() {
        return Err(format!("tasks are not all accounted for: {conservation:?}").into());
    }
    store.close().await;

    if arguments.iter().any(|argument| argument == "--json") {
        let figures = json!({
            "submitted_in_bulk_per_second": bulk, "bulk": BULK, "submitted_alone_per_second": one_by_one,
            "accepted_opened_ended_per_second": whole, "callers": CALLERS,
        });
        println!("{figures}");
    } else {
        println!("submitted, {BULK} in a call, 2 callers:       {bulk:>8.0} tasks/s");
        println!("submitted alone, {CALLERS} callers:             {one_by_one:>8.0} tasks/s");
        println!("accepted, opened and ended, {CALLERS} workers:  {whole:>8.0} tasks/s");
    }
    Ok(())
}

/// What callers do over and over, each one after the other: how many tasks that is a second.
async fn per_second<F: Future<Output = Result<usize, StoreError>> + Send + 'static>(
    store: &Arc<dyn Store>,
    callers: u32,
    act: impl Fn(Arc<dyn Store>, u32) -> F + Copy + Send + 'static,
) -> Result<f64, StoreError> {
    let began = Instant::now();
    let mut acting = JoinSet::new();
    for slot in 0..callers {
        let store = Arc::clone(store);
        acting.spawn(async move {
            let mut tasks = 0;
            while began.elapsed() < TIME {
                tasks += act(Arc::clone(&store), slot).await?;
            }
            Ok::<_, StoreError>(tasks)
        });
    }
    let tasks = acting.join_all().await.into_iter().sum::<Result<usize, _>>()?;
    Ok(tasks as f64 / began.elapsed().as_secs_f64())
}

async fn accept(store: &dyn Store, count: usize) -> Result<Vec<TaskId>, StoreError> {
    let answers = store.accept(vec![task(); count], &Actor::new("user:throughput")).await?;
    Ok(answers.into_iter().flatten().map(|accepted| accepted.id).collect())
}

async fn live(store: &dyn Store, slot: u32) -> Result<(), StoreError> {
    let worker = WorkerId { process: ProcessId::new(), slot };
    for task in accept(store, 1).await? {
        if let Opened::Held(task) = store.open(task, &worker, LEASE).await? {
            let fence = Fence { task: task.id, attempt: task.attempt };
            store.end(fence, Ending::Complete { output: json!({ "summary": "short" }) }).await?;
        }
    }
    Ok(())
}

fn task() -> NewTask {
    NewTask {
        team: "sales".parse().expect("a name"),
        agent: "summary".parse().expect("a name"),
        class: TaskClass::Normal,
        input: Some("Summarise this offer in two sentences.".repeat(4)),
        documents: Vec::new(),
        idempotency_key: None,
        due_at: None,
        deadline_at: None,
        max_retries: None,
        concurrency: None,
        callback_url: None,
        cost: 100,
    }
}
