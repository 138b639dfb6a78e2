//! A store to make claims about, with a clock that is moved by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use store::{
    Accepted, Actor, Clock, Ended, Ending, EventKind, Failure, Fence, LeaseSweep, NewDocument, NewStep, NewTask,
    Opened, PostgresSettings, PostgresStore, RetryPolicy, SqliteSettings, SqliteStore, StepKind, Store, StoreError,
    Swept, Task,
};
use tempfile::TempDir;
use types::{DocumentId, ProcessId, StopReason, TaskClass, TaskId, TaskState, Timestamp, WorkerId};

pub const LEASE: Duration = Duration::from_secs(60);
pub const SECOND: Duration = Duration::from_secs(1);

pub const POLICY: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(2),
    multiplier: 2.0,
    ceiling: Duration::from_secs(60),
    jitter: 0.0,
    max_retries: 2,
};

#[derive(Clone, Copy)]
pub struct Limits {
    pub max_queued: u64,
    pub max_losses: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_queued: 10_000, max_losses: 3 }
    }
}

pub struct World {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub worker: WorkerId,
    _home: Home,
}

/// Where a store lies; it can be opened there again.
pub enum Home {
    File(SqliteSettings, #[expect(dead_code, reason = "removed when dropped")] TempDir),
    Server(PostgresSettings),
}

pub fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(1_700_000_000_000))
}

pub fn settings(folder: &Path, clock: &Clock) -> SqliteSettings {
    SqliteSettings { clock: clock.clone(), ..SqliteSettings::new(folder.join("talon.db")) }
}

/// Of a new database on the server that all tests share; two connections to read by, as there are many stores.
pub async fn postgres_settings() -> PostgresSettings {
    let url = testbed::Postgres::shared().await.database().await;
    PostgresSettings { readers: 2, ..PostgresSettings::new(url) }
}

impl Home {
    pub fn file(limits: Limits, clock: &Clock) -> Self {
        let folder = TempDir::new().unwrap();
        let Limits { max_queued, max_losses } = limits;
        Home::File(SqliteSettings { max_queued, max_losses, ..settings(folder.path(), clock) }, folder)
    }

    pub async fn server(limits: Limits, clock: &Clock) -> Self {
        let Limits { max_queued, max_losses } = limits;
        let settings = postgres_settings().await;
        Home::Server(PostgresSettings { max_queued, max_losses, clock: clock.clone(), ..settings })
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        match self {
            Home::File(settings, _) => Arc::new(SqliteStore::open(settings.clone()).await.unwrap()),
            Home::Server(settings) => Arc::new(PostgresStore::open(settings.clone()).await.unwrap()),
        }
    }

    /// Whether it has one owner, so that whoever opens it knows that all earlier holders are gone.
    pub fn has_one_owner(&self) -> bool {
        matches!(self, Home::File(..))
    }
}

pub async fn sqlite(limits: Limits) -> World {
    let clock = clock();
    World::at(Home::file(limits, &clock), clock).await
}

pub async fn postgres(limits: Limits) -> World {
    let clock = clock();
    World::at(Home::server(limits, &clock).await, clock).await
}

/// A test of each claim about a world, over every store.
macro_rules! on_every_store {
    ($($claim:ident,)*) => {
        mod on_a_file {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim($crate::world::sqlite($crate::world::Limits::default()).await).await;
            })*
        }

        mod on_a_server {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim($crate::world::postgres($crate::world::Limits::default()).await).await;
            })*
        }
    };
}

pub(crate) use on_every_store;

pub fn worker(slot: u32) -> WorkerId {
    WorkerId { process: ProcessId::new(), slot }
}

pub fn actor() -> Actor {
    Actor::new("user:ann")
}

pub fn new_task() -> NewTask {
    NewTask {
        team: "sales".parse().unwrap(),
        agent: "summary".parse().unwrap(),
        class: TaskClass::Normal,
        input: Some("Summarise this.".to_owned()),
        documents: Vec::new(),
        idempotency_key: None,
        due_at: None,
        deadline_at: None,
        max_retries: None,
        concurrency: None,
        callback_url: None,
        cost: 1,
    }
}

pub fn new_document(bytes: &[u8]) -> NewDocument {
    NewDocument {
        team: "sales".parse().unwrap(),
        name: "offer.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: bytes.to_vec(),
    }
}

pub fn new_step(started_at: Timestamp) -> NewStep {
    NewStep {
        kind: StepKind::Tool,
        started_at,
        duration: Duration::from_millis(250),
        prompt_tokens: 100,
        completion_tokens: 20,
        summary: json!({ "tool": "pdf_parse" }),
    }
}

pub fn failure() -> Failure {
    Failure::new(StopReason::ToolError, "pdf_parse answered 503")
}

pub fn retry() -> Ending {
    Ending::Retry { failure: failure(), policy: POLICY, not_before: None, unit: 0.0 }
}

pub fn complete() -> Ending {
    Ending::Complete { output: json!({ "summary": "short" }) }
}

pub fn unknown_document() -> DocumentId {
    "doc_000000000000".parse().unwrap()
}

impl World {
    async fn at(home: Home, clock: Clock) -> Self {
        World { store: home.open().await, clock, worker: worker(0), _home: home }
    }

    pub async fn accept(&self, task: NewTask) -> Accepted {
        self.try_accept(task).await.unwrap()
    }

    pub async fn try_accept(&self, task: NewTask) -> Result<Accepted, store::AcceptError> {
        self.store.accept(vec![task], &actor()).await.unwrap().pop().unwrap()
    }

    /// A new task's id.
    pub async fn queued(&self) -> TaskId {
        self.accept(new_task()).await.id
    }

    /// A new task that is held.
    pub async fn held(&self) -> Fence {
        let task = self.queued().await;
        self.open(task).await
    }

    /// A new dead letter.
    pub async fn dead(&self) -> TaskId {
        let fence = self.held().await;
        self.end(fence, Ending::Bury(failure())).await;
        fence.task
    }

    pub async fn try_open(&self, task: TaskId) -> Opened {
        self.store.open(task, &self.worker, LEASE).await.unwrap()
    }

    pub async fn open(&self, task: TaskId) -> Fence {
        match self.try_open(task).await {
            Opened::Held(task) => Fence { task: task.id, attempt: task.attempt },
            other => panic!("not free: {other:?}"),
        }
    }

    pub async fn end(&self, fence: Fence, ending: Ending) -> Ended {
        self.store.end(fence, ending).await.unwrap()
    }

    pub async fn task(&self, task: TaskId) -> Task {
        self.store.task(task).await.unwrap().unwrap()
    }

    pub async fn state(&self, task: TaskId) -> TaskState {
        self.task(task).await.state
    }

    pub async fn event_kinds(&self, task: TaskId) -> Vec<EventKind> {
        self.store.events(task, 0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect()
    }

    pub async fn audit_actions(&self) -> Vec<String> {
        self.store.audit(0, 1000).await.unwrap().into_iter().map(|entry| entry.action).collect()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time passes, and the store does what is due.
    pub async fn pass(&self, time: Duration) -> Swept {
        self.clock.advance(time);
        self.sweep().await
    }

    pub async fn sweep(&self) -> Swept {
        self.store.sweep(1000, LeaseSweep::Expire).await.unwrap()
    }

    /// Takes what the outbox has.
    pub async fn outbound(&self) -> Vec<TaskId> {
        self.store.take_outbox(1000).await.unwrap().into_iter().map(|waiting| waiting.task).collect()
    }

    pub async fn assert_conserved(&self) {
        let conservation = self.store.conservation().await.unwrap();
        assert!(conservation.holds(), "{conservation:?}");
    }
}

#[track_caller]
pub fn assert_lost<T: std::fmt::Debug>(result: Result<T, StoreError>, fence: Fence) {
    match result {
        Err(StoreError::LeaseLost { task, attempt }) => assert_eq!((task, attempt), (fence.task, fence.attempt)),
        other => panic!("{other:?}"),
    }
}
