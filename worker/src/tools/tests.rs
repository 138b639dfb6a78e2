//! The client against real servers on this host.

mod support;

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Value, json};

use super::address::{Forbidden, Network};
use super::error::Denial;
use super::{ToolClient, ToolError};
pub(super) use support::tool;
use support::{Documents, NoDocuments, Server, arguments, id, names};

/// The call's name.
const KEY: &str = "task-call-0";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// What a tool that answers like this leads to.
async fn failure(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> ToolError {
    let server = Server::start(Router::new().route("/", post(move || std::future::ready(answer)))).await;
    let tool = tool(&server.url("/"), json!({}));
    ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err()
}

#[track_caller]
fn check_message(error: &ToolError, expected: &str) {
    let message = error.to_string();
    assert!(message.contains("pdf_parser"), "{message}");
    assert!(message.contains(expected), "{message}");
}

#[tokio::test]
async fn arguments_go_out_and_the_answer_comes_back_with_its_keys_in_order() {
    let server = Server::echo().await;
    let tool = tool(&server.url("/"), json!({"type": "object"}));
    let output =
        ToolClient::new().call(&tool, &arguments(json!({"b": 1, "a": 2})), KEY, &NoDocuments, soon()).await.unwrap();
    assert_eq!(output.value.to_string(), r#"{"b":1,"a":2}"#);
    assert_eq!(output.bytes, 13);
}

#[tokio::test]
async fn a_call_carries_its_name() {
    let name = async |headers: HeaderMap| headers["idempotency-key"].to_str().unwrap().to_owned();
    let server = Server::start(Router::new().route("/", post(name))).await;
    let tool = tool(&server.url("/"), json!({}));
    let output = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap();
    assert_eq!(output.value, json!(KEY));
}

#[tokio::test]
async fn an_answer_in_plain_text_is_a_string() {
    let server = Server::start(Router::new().route("/", post(async || "plain"))).await;
    let tool = tool(&server.url("/"), json!({}));
    let output = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap();
    assert_eq!(output.value, json!("plain"));
}

#[tokio::test]
async fn documents_take_the_place_of_their_ids_and_fixed_arguments_win() {
    let server = Server::echo().await;
    let document = json!({"type": "string", "format": "document-id"});
    let mut tool = tool(
        &server.url("/"),
        json!({"type": "object", "properties": {
            "document": document, "all": {"type": "array", "items": document}, "note": {"type": "string"},
        }}),
    );
    tool.spec.fixed_arguments = arguments(json!({"mode": "fixed"}));
    // A text that only looks like an id is left alone.
    let given = json!({"document": id(1), "all": [id(2)], "note": id(1), "mode": "chosen"});
    let output = ToolClient::new().call(&tool, &arguments(given), KEY, &Documents::of(&[1, 2]), soon()).await.unwrap();
    let sent = |number| json!({"id": id(number), "name": "a.pdf", "media_type": "application/pdf", "content_base64": "JVBERg=="});
    assert_eq!(output.value, json!({"document": sent(1), "all": [sent(2)], "note": id(1), "mode": "fixed"}));
}

#[tokio::test]
async fn only_the_tasks_documents_are_sent() {
    let server = Server::echo().await;
    let tool = tool(&server.url("/"), json!({"properties": {"document": {"format": "document-id"}}}));
    let call = async |given: Value, documents: &Documents| {
        ToolClient::new().call(&tool, &arguments(json!({"document": given})), KEY, documents, soon()).await.unwrap_err()
    };
    let error = call(json!(id(3)), &Documents::of(&[1])).await;
    assert!(
        matches!(&error, ToolError::Denied { reason: Denial::NotGranted(given), .. } if *given == id(3)),
        "{error}"
    );
    for nonsense in [json!(5), json!("../etc/passwd"), json!(null)] {
        let error = call(nonsense, &Documents::of(&[1])).await;
        assert!(matches!(&error, ToolError::Unusable { code, .. } if code == "bad_arguments"), "{error}");
        check_message(&error, "/document must be the id of a document");
    }
    let error = call(json!(id(1)), &Documents::erased(1)).await;
    assert!(matches!(&error, ToolError::Unusable { code, .. } if code == "document_gone"), "{error}");
    let error = call(json!(id(1)), &Documents::unreachable(1)).await;
    assert!(matches!(error, ToolError::Store { .. }), "{error}");
    check_message(&error, "disk on fire");
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Server::echo().await;
    for status in [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT] {
        let error = failure((status, [("location", target.url("/"))])).await;
        check_message(&error, &target.url("/"));
        assert!(
            matches!(error, ToolError::Denied { reason: Denial::Redirect { status: seen, .. }, .. } if seen == status)
        );
    }
    assert_eq!(target.calls(), 0);
}

#[tokio::test]
async fn an_answer_over_a_mebibyte_is_not_taken() {
    let just_fits = json!("x".repeat((1 << 20) - 2)).to_string();
    let server = Server::start(Router::new().route("/", post(move || std::future::ready(just_fits)))).await;
    let tool = tool(&server.url("/"), json!({}));
    ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap();

    let announced = failure("x".repeat((1 << 20) + 1)).await;
    check_message(&announced, "more than 1048576 bytes");
    let server = Server::start(Router::new().route("/", post(async || Body::from_stream(endless())))).await;
    let tool = support::tool(&server.url("/"), json!({}));
    let error = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err();
    assert!(matches!(error, ToolError::TooLarge { max: 1_048_576, .. }), "{error}");
}

#[tokio::test]
async fn the_tools_timeout_may_be_retried_and_the_tasks_deadline_not() {
    let silent = Router::new().route("/", post(async || std::future::pending::<()>().await));
    let dripping = Router::new().route("/", post(async || Body::from_stream(silent_after("{"))));
    for router in [silent, dripping] {
        let server = Server::start(router).await;
        let mut tool = tool(&server.url("/"), json!({}));
        let in_time = Instant::now() + Duration::from_millis(50);
        let error = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, in_time).await.unwrap_err();
        assert!(matches!(error, ToolError::Deadline { .. }), "{error}");
        tool.spec.timeout = Duration::from_millis(50);
        let error = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err();
        assert!(matches!(error, ToolError::Retryable { retry_after: None, .. }), "{error}");
        check_message(&error, "no answer within its timeout of 50ms");
    }
}

#[tokio::test]
async fn a_deadline_that_passed_makes_no_call() {
    let server = Server::echo().await;
    let tool = tool(&server.url("/"), json!({}));
    let error =
        ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, Instant::now()).await.unwrap_err();
    assert!(matches!(error, ToolError::Deadline { .. }), "{error}");
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn what_is_wrong_for_now_may_be_retried_when_the_tool_says() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).unwrap();
        let error = failure((status, [("retry-after", "7")], "later")).await;
        let seven = Some(Duration::from_secs(7));
        assert!(
            matches!(&error, ToolError::Retryable { retry_after, .. } if *retry_after == seven),
            "{status}: {error}"
        );
        check_message(&error, "later");
    }
    let date = failure((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "Tue, 31 Dec 2199 23:59:59 GMT")])).await;
    assert!(
        matches!(date, ToolError::Retryable { retry_after: Some(delay), .. } if Duration::from_secs(1 << 31) < delay)
    );
    let past = failure((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")])).await;
    assert!(matches!(past, ToolError::Retryable { retry_after: Some(Duration::ZERO), .. }));
    let nonsense = failure((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "soon")])).await;
    assert!(matches!(nonsense, ToolError::Retryable { retry_after: None, .. }));
}

#[tokio::test]
async fn an_unusable_input_is_told_with_the_tools_own_words() {
    let check = async |status, body: &'static str, expected: (&str, &str)| {
        let error = failure((StatusCode::from_u16(status).unwrap(), body)).await;
        let ToolError::Unusable { code, detail, .. } = &error else { panic!("{error}") };
        assert_eq!((code.as_str(), detail.as_str()), expected);
    };
    let problem = r#"{"title": "Unprocessable", "code": "no_text", "detail": "the document needs OCR"}"#;
    check(422, problem, ("no_text", "the document needs OCR")).await;
    check(422, r#"{"error": "no table found"}"#, ("http_422", "no table found")).await;
    check(400, "plain\n  words", ("http_400", "plain words")).await;
    check(413, "", ("http_413", "Payload Too Large")).await;
    check(422, "[1, 2]", ("http_422", "Unprocessable Entity")).await;
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_the_operators_business() {
    for status in [401, 403, 404, 405, 501] {
        let error = failure(StatusCode::from_u16(status).unwrap()).await;
        assert!(matches!(error, ToolError::Misconfigured { .. }), "{status}: {error}");
        check_message(&error, "correct the endpoint or the tool");
    }
    let binary = failure(vec![0xff_u8, 0xfe, 0]).await;
    check_message(&binary, "neither JSON nor text");
}

#[tokio::test]
async fn a_server_that_is_down_may_be_retried() {
    let tool = tool(&Server::gone().await, json!({}));
    let error = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err();
    assert!(matches!(error, ToolError::Retryable { .. }), "{error}");
    check_message(&error, "refused");
}

#[tokio::test]
async fn a_name_is_dialled_at_the_address_that_was_checked() {
    let server = Server::echo().await;
    let client = ToolClient::with_lookup(&names(&[("toolserver", &["127.0.0.1"])]));
    let tool = tool(&format!("http://toolserver:{}/", server.address.port()), json!({}));
    client.call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap();
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_name_that_leads_out_is_denied() {
    let client = ToolClient::with_lookup(&names(&[
        ("outside", &["1.1.1.1"]),
        ("metadata", &["169.254.169.254"]),
        // One address of several is enough: which one is dialled would be luck.
        ("rebound", &["127.0.0.1", "1.1.1.1"]),
        ("mapped", &["::ffff:169.254.169.254"]),
    ]));
    let external = Forbidden::External;
    let link = Forbidden::LinkLocal;
    for (host, expected) in [("outside", external), ("metadata", link), ("rebound", external), ("mapped", link)] {
        // https has the same resolver; its client also needs the system's certificates, which a bare machine lacks.
        let tool = tool(&format!("http://{host}:9/"), json!({}));
        let error = client.call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err();
        let ToolError::Denied { reason: Denial::Address { host: named, why, .. }, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((named.as_str(), *why), (host, expected));
        check_message(&error, &format!("{host} leads to "));
    }
    let unknown = tool("http://nowhere:9/", json!({}));
    let error = client.call(&unknown, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err();
    assert!(matches!(error, ToolError::Retryable { .. }), "{error}");
}

#[tokio::test]
async fn an_address_in_the_endpoint_is_checked_like_a_name() {
    for (host, expected) in [
        ("1.1.1.1", Forbidden::External),
        ("169.254.169.254", Forbidden::LinkLocal),
        ("[fe80::1]", Forbidden::LinkLocal),
        ("[::ffff:1.1.1.1]", Forbidden::External),
        ("0x08.0x08.0x08.0x08", Forbidden::External),
        ("0.0.0.0", Forbidden::NotAHost),
    ] {
        let tool = tool(&format!("http://{host}:9/"), json!({}));
        let error = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err();
        let ToolError::Denied { reason: Denial::Address { why, .. }, .. } = &error else { panic!("{error}") };
        assert_eq!(*why, expected, "{host}");
    }
}

#[tokio::test]
async fn the_external_network_is_open_only_to_a_tool_bound_for_it() {
    let mut tool = tool("http://169.254.169.254:9/", json!({}));
    tool.network = Network::Any;
    let error = ToolClient::new().call(&tool, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap_err();
    assert!(matches!(error, ToolError::Denied { .. }), "{error}");
    let server = Server::echo().await;
    let mut local = support::tool(&server.url("/"), json!({}));
    local.network = Network::Any;
    ToolClient::new().call(&local, &arguments(json!({})), KEY, &NoDocuments, soon()).await.unwrap();
}

fn endless() -> impl futures::Stream<Item = std::io::Result<Vec<u8>>> {
    futures::stream::repeat_with(|| Ok(vec![b'x'; 65_536]))
}

fn silent_after(start: &'static str) -> impl futures::Stream<Item = std::io::Result<&'static str>> {
    use futures::StreamExt;
    futures::stream::once(std::future::ready(Ok(start))).chain(futures::stream::pending())
}
