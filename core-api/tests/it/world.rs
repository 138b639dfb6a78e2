//! A server on a port of its own, its store, and a client that holds every answer against `/openapi.json`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use config::WebhookConfig;
use core_api::{AdminKey, AgentView, ApiRuntime, ApiSettings, ApiState, Authentication, Health, KeySecret, Readiness};
use prometheus::Registry;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use store::{
    Actor, Failure, Lease, Leases, NewApiKey, NewTask, Opening, PostgresSettings, PostgresStore, RetryPolicy,
    SqliteSettings, SqliteStore, Store, StoreMetrics,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use types::{ApiKeyId, ProcessId, Role, StopReason, TaskClass, TaskId, TeamName, WorkerId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// One execution, no retry.
pub(crate) const NO_RETRY: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(1),
    multiplier: 1.0,
    ceiling: Duration::from_secs(1),
    jitter: 0.0,
    max_retries: 0,
};

pub(crate) struct Limits {
    pub(crate) max_queued: u64,
    pub(crate) max_size_bytes: Option<u64>,
    pub(crate) max_document_bytes: usize,
    pub(crate) max_wait: Duration,
    pub(crate) authentication: Authentication,
    pub(crate) callbacks: Vec<String>,
    pub(crate) health: Health,
    pub(crate) queue: Health,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_queued: 1000,
            max_size_bytes: None,
            max_document_bytes: 4 << 20,
            max_wait: Duration::from_secs(60),
            authentication: Authentication::Open { team: team(), loopback_only: true },
            callbacks: Vec::new(),
            health: Arc::new(|| Ok(())),
            queue: Arc::new(|| Ok(())),
        }
    }
}

pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) leases: Leases,
    pub(crate) readiness: watch::Sender<Readiness>,
    document: Value,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    _folder: Option<TempDir>,
}

pub(crate) async fn world() -> World {
    World::new(Limits::default()).await
}

impl World {
    pub(crate) async fn new(limits: Limits) -> World {
        let (folder, registry) = (TempDir::new().unwrap(), Registry::new());
        let metrics = StoreMetrics::new(&registry).unwrap();
        let settings = SqliteSettings {
            max_queued: limits.max_queued,
            max_size_bytes: limits.max_size_bytes,
            metrics: Some(metrics.clone()),
            ..SqliteSettings::new(folder.path().join("talon.db"))
        };
        let store = Arc::new(SqliteStore::open(settings).await.unwrap());
        World { _folder: Some(folder), ..World::over(store, registry, metrics, limits).await }
    }

    /// A process of its own, over a database that others may share.
    pub(crate) async fn beside(url: &str, limits: Limits) -> World {
        let registry = Registry::new();
        let metrics = StoreMetrics::new(&registry).unwrap();
        let settings = PostgresSettings { metrics: Some(metrics.clone()), ..PostgresSettings::new(url) };
        World::over(Arc::new(PostgresStore::open(settings).await.unwrap()), registry, metrics, limits).await
    }

    async fn over(store: Arc<dyn Store>, registry: Registry, store_metrics: StoreMetrics, limits: Limits) -> World {
        let runtime = ApiRuntime::register(&registry).unwrap();
        let (readiness, ready) = watch::channel(Readiness::Ready);
        let state = ApiState {
            store: store.clone(),
            agents: Arc::new(agents()),
            metrics: Arc::new(move || registry.gather()),
            store_metrics,
            readiness: ready,
            health: limits.health,
            queue: limits.queue,
            settings: Arc::new(ApiSettings {
                authentication: limits.authentication,
                max_document_bytes: limits.max_document_bytes,
                max_wait: limits.max_wait,
                webhooks: WebhookConfig { allow: limits.callbacks, ..WebhookConfig::default() },
            }),
            runtime,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let others = OpenApiRouter::new().routes(routes!(beside));
        let server = axum::serve(listener, core_api::router_beside(state, others)).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        World {
            url,
            client: client(),
            leases: Leases::new(store.clone(), Duration::from_secs(60)),
            store,
            readiness,
            document: serde_json::to_value(core_api::openapi()).unwrap(),
            stop: Some(stop),
            served: tokio::spawn(async move { server.await.unwrap() }),
            _folder: None,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Sends, and holds the answer against the document.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, body: response.bytes().await.unwrap().to_vec() };
        self.assert_described(&method, &path, &answer);
        answer
    }

    fn assert_described(&self, method: &Method, path: &str, answer: &Answer) {
        let Some(operation) = self.operation(method, path) else { return };
        let response = &operation["responses"][answer.status.as_str()];
        assert!(response.is_object(), "{method} {path} answered {}, which is not described", answer.status);
        let described = response["content"].as_object().map(|content| content.keys().cloned().collect::<Vec<_>>());
        match (described, answer.media_type()) {
            (None, None) => {}
            (Some(types), Some(given)) => assert!(types.contains(&given), "{method} {path}: {given}, not {types:?}"),
            other => panic!("{method} {path}: {other:?}"),
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let fits = |template: &str| {
            template.split('/').count() == path.split('/').count()
                && template
                    .split('/')
                    .zip(path.split('/'))
                    .all(|(pattern, part)| pattern == part || pattern.starts_with('{'))
        };
        let (_, item) = self.document["paths"].as_object()?.iter().find(|(template, _)| fits(template))?;
        item.get(method.as_str().to_ascii_lowercase())
    }

    /// Submits a task and gives its id.
    pub(crate) async fn submit(&self) -> TaskId {
        let answer = self.post("/v1/tasks", &task()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Takes a task as a worker would.
    pub(crate) async fn open(&self, id: TaskId) -> Lease {
        let worker = WorkerId { process: ProcessId::new(), slot: 0 };
        match self.leases.open(id, &worker).await.unwrap() {
            Opening::Opened(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn complete(&self, id: TaskId) {
        self.open(id).await.complete(json!({ "summary": "short" })).await.unwrap();
    }

    pub(crate) async fn bury(&self, id: TaskId) {
        self.open(id).await.retry(failure(StopReason::ToolError), &NO_RETRY, None).await.unwrap();
    }

    pub(crate) async fn fail(&self, id: TaskId, reason: StopReason) {
        self.open(id).await.fail(failure(reason)).await.unwrap();
    }

    /// The one task that was accepted after `before`, once there is one.
    pub(crate) async fn next_task(&self, before: usize) -> TaskId {
        let mut changes = self.store.changes();
        loop {
            let page = self.store.tasks(&Default::default(), None, 1000).await.unwrap();
            if page.tasks.len() > before {
                return page.tasks[0].id;
            }
            let _ = changes.recv().await;
        }
    }

    /// A key of a team, as an administrator would make it.
    pub(crate) async fn key(&self, team: &str, role: Role) -> KeySecret {
        let secret = KeySecret::random();
        let key = NewApiKey {
            id: ApiKeyId::random(),
            team: team.parse().unwrap(),
            role,
            name: "test".to_owned(),
            sha256: secret.digest(),
            expires_at: None,
        };
        self.store.create_key(key, &Actor::new("user:ann")).await.unwrap();
        secret
    }

    /// Sends as the holder of a key.
    pub(crate) async fn send_as(&self, key: &KeySecret, request: RequestBuilder) -> Answer {
        self.send(request.bearer_auth(key.as_str())).await
    }

    pub(crate) async fn get_as(&self, key: &KeySecret, path: &str) -> Answer {
        self.send_as(key, self.request(Method::GET, path)).await
    }

    /// A task of an agent, submitted by nobody in particular.
    pub(crate) async fn accept_for(&self, agent: &str) -> TaskId {
        self.accept(team(), agent).await
    }

    /// Another team's task.
    pub(crate) async fn foreign_task(&self) -> TaskId {
        self.accept(others(), "summary").await
    }

    async fn accept(&self, team: TeamName, agent: &str) -> TaskId {
        let task = NewTask {
            team,
            agent: agent.parse().unwrap(),
            class: TaskClass::Normal,
            input: Some("secret".to_owned()),
            documents: Vec::new(),
            idempotency_key: None,
            due_at: None,
            deadline_at: None,
            max_retries: None,
            concurrency: None,
            callback_url: None,
            cost: 1,
        };
        self.store.accept(vec![task], &Actor::new("user:eve")).await.unwrap().pop().unwrap().unwrap().id
    }

    /// Lets the server finish what it has, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        // A connection that is kept for later requests would be waited for.
        self.client = client();
        self.served.await.unwrap();
    }
}

/// A route of another crate.
#[utoipa::path(get, path = "/beside", responses((status = 200, body = String, description = "It is there")))]
async fn beside(Extension(team): Extension<TeamName>) -> String {
    format!("beside {team}")
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn media_type(&self) -> Option<String> {
        self.header("content-type").map(|value| value.split(';').next().unwrap().to_owned())
    }

    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.media_type().as_deref(), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{problem}");
        assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{problem}");
    }
}

pub(crate) fn client() -> Client {
    // Fails when it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

pub(crate) fn team() -> TeamName {
    "default".parse().unwrap()
}

/// Another team.
pub(crate) fn others() -> TeamName {
    "others".parse().unwrap()
}

/// The key of a world where callers are told apart.
pub(crate) const ADMIN_KEY: &str = "an-administrators-key-of-32-characters";

/// A world where callers are told apart.
pub(crate) async fn keyed_world() -> World {
    World::new(keyed()).await
}

/// Callers are told apart.
pub(crate) fn keyed() -> Limits {
    let admin = AdminKey { secret: KeySecret::given(ADMIN_KEY), team: team() };
    Limits { authentication: Authentication::Keys { admin: Some(admin) }, ..Limits::default() }
}

pub(crate) fn task() -> Value {
    json!({ "agent": "summary", "input": "Summarise this." })
}

pub(crate) fn failure(reason: StopReason) -> Failure {
    Failure::new(reason, "pdf_parse answered 503")
}

fn agents() -> BTreeMap<types::AgentName, AgentView> {
    ["summary", "triage"].into_iter().map(|name| (name.parse().unwrap(), agent(name))).collect()
}

fn agent(name: &str) -> AgentView {
    AgentView {
        name: name.parse().unwrap(),
        description: "Does something.".to_owned(),
        owner: "ann".to_owned(),
        team: team(),
        model: "pocket".to_owned(),
        context_tokens: 1024,
        timeout_seconds: 120.0,
        tools: vec!["pdf_parse".to_owned()],
        output_schema: None,
        revision: "1".to_owned(),
    }
}
