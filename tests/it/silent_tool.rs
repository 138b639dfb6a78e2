//! A tool that never answers: a task that calls it runs for as long as a test wants.

use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::home::Home;
use crate::server::Server;

/// Stands where agents expect the parser of documents.
pub(crate) struct SilentTool(TcpListener);

impl SilentTool {
    pub(crate) fn new() -> Self {
        SilentTool(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// A server whose agents call this tool.
    pub(crate) fn start_server(&self, home: &Home) -> Server {
        self.start_server_with(home, "")
    }

    /// The same, with further settings.
    pub(crate) fn start_server_with(&self, home: &Home, settings: &str) -> Server {
        let address = self.0.local_addr().unwrap();
        Server::start_with(home, &format!("{settings}tools:\n  pdf_parser:\n    endpoint: http://{address}/parse\n"))
    }

    /// Waits until a task calls it; the call hangs until the connection is dropped.
    pub(crate) fn called(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}

/// A task that begins with a call of the tool.
pub(crate) fn calling(document: &str) -> Value {
    json!({"agent": "data-extraction", "documents": [document]})
}
