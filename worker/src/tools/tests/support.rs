//! Tools, servers and documents for tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::routing::post;
use axum::{Router, serve};
use config::{DataLabel, Effect, Reach, ToolSpec};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use types::DocumentId;

use crate::tools::address::Network;
use crate::tools::bound::Endpoint;
use crate::tools::resolver::Lookup;
use crate::tools::{BoundTool, Document, DocumentError, DocumentSource};

pub(in crate::tools) fn tool(endpoint: &str, parameters: Value) -> BoundTool {
    let spec = ToolSpec {
        name: "pdf_parser".to_owned(),
        endpoint: endpoint.to_owned(),
        description: "Read a document.".to_owned(),
        effect: Effect::Read,
        data: DataLabel::Internal,
        reach: Reach::Internal,
        timeout: Duration::from_secs(30),
        parameters,
        fixed_arguments: Map::new(),
    };
    BoundTool { endpoint: Endpoint::parse(endpoint).unwrap(), spec, network: Network::Internal }
}

pub(super) fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A tool server on this host; ends with the test's runtime.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router).into_future());
        Server { address, calls: Arc::default() }
    }

    /// Answers with the request's body, and counts.
    pub(super) async fn echo() -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let echo = move |body: Bytes| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(body)
        };
        Server { calls, ..Server::start(Router::new().route("/", post(echo))).await }
    }

    /// An endpoint where nobody listens any more.
    pub(super) async fn gone() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// A lookup that knows these names and no others.
pub(super) fn names(known: &'static [(&str, &[&str])]) -> Lookup {
    Arc::new(move |host| {
        let addresses = known.iter().find(|(name, _)| *name == host).map(|(_, addresses)| *addresses);
        let addresses = addresses.map(|addresses| addresses.iter().map(|text| text.parse().unwrap()).collect());
        Box::pin(std::future::ready(addresses.ok_or_else(|| std::io::Error::other("no such host"))))
    })
}

pub(super) fn id(number: u8) -> DocumentId {
    format!("doc_0000000000{number:02}").parse().unwrap()
}

/// A task without documents.
pub(super) struct NoDocuments;

#[async_trait]
impl DocumentSource for NoDocuments {
    fn granted(&self) -> &[DocumentId] {
        &[]
    }

    async fn load(&self, id: &DocumentId) -> Result<Document, DocumentError> {
        panic!("{id} was not granted")
    }
}

/// A task's documents.
pub(super) struct Documents {
    granted: Vec<DocumentId>,
    state: State,
}

enum State {
    Kept,
    Erased,
    Unreachable,
}

impl Documents {
    pub(super) fn of(numbers: &[u8]) -> Self {
        Documents { granted: numbers.iter().copied().map(id).collect(), state: State::Kept }
    }

    pub(super) fn erased(number: u8) -> Self {
        Documents { state: State::Erased, ..Documents::of(&[number]) }
    }

    pub(super) fn unreachable(number: u8) -> Self {
        Documents { state: State::Unreachable, ..Documents::of(&[number]) }
    }
}

#[async_trait]
impl DocumentSource for Documents {
    fn granted(&self) -> &[DocumentId] {
        &self.granted
    }

    async fn load(&self, id: &DocumentId) -> Result<Document, DocumentError> {
        assert!(self.granted.contains(id), "{id} was not granted");
        match self.state {
            State::Kept => Ok(Document {
                id: id.clone(),
                name: "a.pdf".to_owned(),
                media_type: "application/pdf".to_owned(),
                bytes: b"%PDF".to_vec(),
            }),
            State::Erased => Err(DocumentError::Gone(id.clone())),
            State::Unreachable => Err(DocumentError::Store { id: id.clone(), source: "disk on fire".into() }),
        }
    }
}
