//! The server as an HTTP server.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use toolserver::Options;

use crate::server::{Server, answer, document};

#[tokio::test]
async fn it_lists_its_tools_and_says_that_it_lives() {
    let server = Server::start().await;
    let list = answer(server.client().get(server.url("/")).send().await.unwrap()).await.ok();
    let paths: Vec<_> = list["tools"].as_array().unwrap().iter().map(|tool| tool["path"].clone()).collect();
    assert_eq!(paths, ["/parse", "/validate", "/table"]);
    let health = answer(server.client().get(server.url("/healthz")).send().await.unwrap()).await.ok();
    assert_eq!(health, json!({"status": "ok"}));
}

#[tokio::test]
async fn requests_that_are_none_are_told_what_is_wrong() {
    let server = Server::start().await;
    let sent = server.client().post(server.url("/parse")).body("{").send().await.unwrap();
    answer(sent).await.refused(400, "bad_arguments");
    server.post("/parse", &json!({})).await.refused(400, "bad_arguments");
    server.post("/parse", &json!({"document": {"content_base64": "%"}})).await.refused(400, "bad_base64");
    server.post("/table", &json!({})).await.refused(400, "bad_arguments");
    let both = json!({"table": "a,1", "document": document("a.csv", b"a,1")});
    server.post("/table", &both).await.refused(400, "bad_arguments");
    server.post("/nowhere", &json!({})).await.refused(404, "not_found");
    let got = server.client().get(server.url("/parse")).send().await.unwrap();
    answer(got).await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let server = Server::with(Options { max_body_bytes: 1000, ..Options::default() }).await;
    server.parse("a.txt", &[b'a'; 1000]).await.refused(413, "too_large");
    server.parse("a.txt", b"short").await.ok();
}

#[tokio::test]
async fn more_requests_than_the_limit_are_told_to_come_back() {
    let server = Server::with(Options { max_requests: 1, ..Options::default() }).await;
    // A request whose body never ends holds the only place.
    let mut held = TcpStream::connect(server.address).await.unwrap();
    held.write_all(b"POST /parse HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await
        .unwrap();
    // The server asks for the body only once it has taken the request.
    held.read_exact(&mut [0; 12]).await.unwrap();
    let sent = server.client().post(server.url("/parse")).body("{}").send().await.unwrap();
    assert_eq!(sent.headers()["retry-after"], "1");
    answer(sent).await.refused(503, "busy");
    let health = server.client().get(server.url("/healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn it_stops_when_asked() {
    let server = Server::start().await;
    server.parse("a.txt", b"short").await.ok();
    server.stop().await;
}
