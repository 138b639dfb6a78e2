//! A hub on this machine that speaks as much of Hugging Face's protocol as downloads need, and fails as real ones do:
//! connections that break, files that change, repositories that are private.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::stream;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// Whose read is refused without [`TOKEN`].
pub(crate) const PRIVATE: &str = "org/private";
pub(crate) const TOKEN: &str = "a-token";

/// Ends with the test's process.
pub(crate) struct Hub {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By repository, then by name.
    files: BTreeMap<String, BTreeMap<String, Bytes>>,
    /// 40 hexadecimal digits.
    commit: String,
    /// Bytes after which each of the next downloads breaks.
    breaks: Vec<usize>,
    /// Whether the digest of a file is told.
    hides_digests: bool,
    /// First bytes of the downloads so far.
    downloads: Vec<usize>,
    num_requests: usize,
}

impl Hub {
    /// With one repository, `org/pocket`, of these files.
    pub(crate) fn start<const N: usize>(files: [(&str, Vec<u8>); N]) -> Self {
        let state = Arc::new(Mutex::new(State { commit: "c0ffee".repeat(7)[..40].to_owned(), ..State::default() }));
        let (sender, address) = std::sync::mpsc::channel();
        let served = state.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                let router = Router::new().fallback(move |request| std::future::ready(answer(&request, &served)));
                axum::serve(listener, router).await.unwrap();
            });
        });
        let hub = Hub { url: format!("http://{}", address.recv().unwrap()), state };
        for (name, bytes) in files {
            hub.put("org/pocket", name, bytes);
        }
        hub
    }

    /// Puts a file into a repository.
    pub(crate) fn put(&self, repo: &str, name: &str, bytes: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        state.files.entry(repo.to_owned()).or_default().insert(name.to_owned(), bytes.into());
    }

    /// From now on there is a newer commit.
    pub(crate) fn commit(&self, commit: &str) {
        self.state.lock().unwrap().commit = commit.to_owned();
    }

    /// The next downloads break after so many bytes each.
    pub(crate) fn break_after(&self, bytes: &[usize]) {
        self.state.lock().unwrap().breaks = bytes.to_vec();
    }

    /// From now on no digests are told, as of small files.
    pub(crate) fn hide_digests(&self) {
        self.state.lock().unwrap().hides_digests = true;
    }

    /// Where each download has begun.
    pub(crate) fn downloads(&self) -> Vec<usize> {
        self.state.lock().unwrap().downloads.clone()
    }

    pub(crate) fn num_requests(&self) -> usize {
        self.state.lock().unwrap().num_requests
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(request: &Request, state: &Mutex<State>) -> Response {
    let mut state = state.lock().unwrap();
    state.num_requests += 1;
    let path = request.uri().path().trim_start_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let bearer = format!("Bearer {TOKEN}");
    let may_read = request.headers().get(header::AUTHORIZATION).is_some_and(|given| given == bearer.as_str());
    match parts[..] {
        ["cdn", organisation, name, ref file @ ..] => {
            state.download(&format!("{organisation}/{name}"), &file.join("/"), request.headers())
        }
        ["api", "models", "org", "private", ..] | ["org", "private", ..] if !may_read => {
            StatusCode::UNAUTHORIZED.into_response()
        }
        ["api", "models", organisation, name, "revision", revision] => {
            state.info(&format!("{organisation}/{name}"), revision)
        }
        [organisation, name, "resolve", revision, ref file @ ..] => {
            state.resolve(request, &format!("{organisation}/{name}"), revision, &file.join("/"))
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

impl State {
    fn has(&self, revision: &str) -> bool {
        revision == "main" || revision == self.commit
    }

    fn info(&self, repo: &str, revision: &str) -> Response {
        let Some(files) = self.files.get(repo).filter(|_| self.has(revision)) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let siblings: Vec<_> = files.keys().map(|name| json!({"rfilename": name})).collect();
        Json(json!({"id": repo, "sha": self.commit, "siblings": siblings})).into_response()
    }

    /// What a file is, and where its bytes are.
    fn resolve(&self, request: &Request, repo: &str, revision: &str, file: &str) -> Response {
        let found = self.files.get(repo).and_then(|files| files.get(file)).filter(|_| self.has(revision));
        let Some(bytes) = found else { return StatusCode::NOT_FOUND.into_response() };
        let etag = if self.hides_digests { digest(bytes)[..40].to_owned() } else { digest(bytes) };
        let host = request.headers()[header::HOST].to_str().unwrap();
        let place = format!("http://{host}/cdn/{repo}/{file}");
        let headers = [
            ("x-repo-commit", self.commit.clone()),
            ("x-linked-etag", format!("\"{etag}\"")),
            ("etag", "\"of-the-redirection\"".to_owned()),
            ("location", place),
        ];
        (StatusCode::FOUND, headers).into_response()
    }

    fn download(&mut self, repo: &str, file: &str, headers: &HeaderMap) -> Response {
        let bytes = self.files[repo][file].clone();
        let range = headers[header::RANGE].to_str().unwrap().strip_prefix("bytes=").unwrap();
        let (begin, end) = range.split_once('-').unwrap();
        let (begin, end) = (begin.parse::<usize>().unwrap(), end.parse::<usize>().map_or(bytes.len(), |last| last + 1));
        if bytes.len() <= begin {
            return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        }
        let content_range = format!("bytes {begin}-{}/{}", end - 1, bytes.len());
        let part = bytes.slice(begin..end);
        let headers = [("content-range", content_range), ("content-length", part.len().to_string())];
        let is_question = range == "0-0";
        if !is_question {
            self.downloads.push(begin);
            if !self.breaks.is_empty() {
                let kept = part.slice(..self.breaks.remove(0));
                let broken = stream::iter([Ok(kept), Err::<Bytes, _>(io::Error::other("broken off"))]);
                return (StatusCode::PARTIAL_CONTENT, headers, Body::from_stream(broken)).into_response();
            }
        }
        (StatusCode::PARTIAL_CONTENT, headers, part).into_response()
    }
}
