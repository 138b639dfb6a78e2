//! `/validate` as agents call it.

use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn records_are_checked_against_the_schema() {
    let server = Server::start().await;
    let schema = json!({"type": "object", "properties": {"date": {"type": "string", "pattern": "^[0-9]{4}$"}}});
    let answer = server.post("/validate", &json!({"data": {"date": "2026"}, "schema": schema})).await.ok();
    assert_eq!(answer.to_string(), r#"{"valid":true,"errors":[]}"#);
    let answer = server.post("/validate", &json!({"data": {"date": "26"}, "schema": schema})).await.ok();
    assert_eq!(answer.to_string(), r#"{"valid":false,"errors":["date: does not match the pattern"]}"#);
}

#[tokio::test]
async fn references_to_elsewhere_are_refused() {
    let server = Server::start().await;
    let elsewhere = json!({"data": 1, "schema": {"$ref": server.url("/")}});
    server.post("/validate", &elsewhere).await.refused(400, "bad_schema");
}
